import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Code } from '@connectrpc/connect';
import { bufferSource, compactElf, ElfFile } from '@fleetflame/elf';
import { buildProgram, PROGRAMS } from '@fleetflame/elf/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { FAILURE_RETRY_MS, LEASE_MS, SYMBOL_LIMITS, UPLOAD_ALIVE_MS, UPLOAD_IDLE_MS } from './limits.ts';
import { startSymbolServer, uploadFile, type SymbolServer } from './testing/index.ts';

const servers: SymbolServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(options: Parameters<typeof startSymbolServer>[0] = {}): Promise<SymbolServer> {
  const server = await startSymbolServer(options);
  servers.push(server);
  return server;
}

interface Binary {
  readonly buildId: string;
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

function binary(program: keyof typeof PROGRAMS): Binary {
  const bytes = compactElf(bufferSource(readFileSync(buildProgram(PROGRAMS[program]))));
  return { buildId: ElfFile.parse(bufferSource(bytes)).identity ?? '', fileName: 'shop', bytes };
}

function part(file: Binary, offset: number, length: number): Parameters<SymbolServer['client']['upload']>[0] {
  const { buildId, fileName, bytes } = file;
  return {
    buildId,
    fileName,
    totalBytes: BigInt(bytes.length),
    offset: BigInt(offset),
    part: bytes.subarray(offset, offset + length),
  };
}

async function counter(
  server: SymbolServer,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  const metric = await server.registry.getSingleMetric(name)?.get();
  const values = metric?.values ?? [];
  return (
    values.find((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))?.value ??
    0
  );
}

describe('SymbolService', () => {
  it('asks for a binary, takes it in parts, and names its addresses from then on', async () => {
    const server = await start();
    const file = binary('cpp');
    const before = await server.client.wanted({ buildIds: [file.buildId, '00112233'] });
    expect(before.buildIds).toEqual([file.buildId, '00112233']);
    expect(await server.symbols.store.table(file.buildId)).toBeUndefined();
    const answer = await uploadFile(server.client, file, 5000);
    expect(answer.complete).toBe(true);
    server.advance(LEASE_MS);
    expect((await server.client.wanted({ buildIds: [file.buildId, '00112233'] })).buildIds).toEqual([
      '00112233',
    ]);
    const { binaries } = await server.client.status({});
    expect(
      binaries.map(({ buildId, fileName, symbols, source, problem }) => ({
        buildId,
        fileName,
        symbols: Number(symbols),
        source,
        problem,
      })),
    ).toEqual([
      { buildId: file.buildId, fileName: 'shop', symbols: answer.symbols, source: 'symtab', problem: '' },
    ]);
    const table = await server.symbols.store.table(file.buildId);
    const names = Array.from({ length: table?.size ?? 0 }, (_, index) => table?.name(index));
    expect(names).toContain('main');
    expect(names).toContain('shop::cart::(anonymous namespace)::hidden(shop::cart::Order const&)');
    expect(await server.symbols.store.table('00112233')).toBeUndefined();
  });

  it('finds what an earlier server stored', async () => {
    const first = await start();
    const file = binary('goStripped');
    await uploadFile(first.client, file);
    const second = await start({ folder: first.folder });
    expect((await second.client.wanted({ buildIds: [file.buildId] })).buildIds).toEqual([]);
    const { binaries } = await second.client.status({ buildIds: [file.buildId, 'ffffffff'] });
    expect(binaries.map((one) => [one.buildId, one.source])).toEqual([[file.buildId, 'gopclntab']]);
    expect((await second.symbols.store.table(file.buildId))?.size).toBeGreaterThan(1000);
  });

  it('asks one host at a time, and the next when that one does not begin', async () => {
    const server = await start();
    const { buildId, ...rest } = binary('c');
    expect((await server.client.wanted({ buildIds: [buildId] })).buildIds).toEqual([buildId]);
    expect((await server.client.wanted({ buildIds: [buildId] })).buildIds).toEqual([]);
    server.advance(LEASE_MS + 1);
    expect((await server.client.wanted({ buildIds: [buildId] })).buildIds).toEqual([buildId]);
    await server.client.upload(part({ buildId, ...rest }, 0, 100));
    server.advance(LEASE_MS + 1);
    expect((await server.client.wanted({ buildIds: [buildId] })).buildIds).toEqual([]);
    // That upload stopped: the next host takes it over.
    server.advance(UPLOAD_ALIVE_MS);
    expect((await server.client.wanted({ buildIds: [buildId] })).buildIds).toEqual([buildId]);
    expect((await uploadFile(server.client, { buildId, ...rest })).complete).toBe(true);
  });

  it('sorts out two hosts that upload the same file at once', async () => {
    const server = await start();
    const file = binary('c');
    await server.client.upload(part(file, 0, 1000));
    await server.client.upload(part(file, 0, 1000));
    await server.client.upload(part(file, 1000, 1000));
    const answers = await Promise.all([
      uploadFile(server.client, file, 4000),
      uploadFile(server.client, file, 3000),
    ]);
    expect(answers.map((one) => one.complete)).toEqual([true, true]);
    expect(await counter(server, 'fleetflame_symbols_uploads_total', { result: 'stored' })).toBe(1);
  });

  it('refuses a second, different upload while the first is under way', async () => {
    const server = await start();
    const file = binary('c');
    await server.client.upload(part(file, 0, 1000));
    const other = { ...file, bytes: file.bytes.subarray(0, 5000) };
    await expect(server.client.upload(part(other, 0, 1000))).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
  });

  it('names the offset at which an upload goes on', async () => {
    const server = await start();
    const file = binary('c');
    const early = server.client.upload(part(file, 1000, 1000));
    await expect(early).rejects.toThrow(/continue at offset 0$/);
    await expect(early).rejects.toMatchObject({ code: Code.NotFound });
    await server.client.upload(part(file, 0, 1000));
    await expect(server.client.upload(part(file, 3000, 1000))).rejects.toThrow(/continue at offset 1000$/);
    const changed = { ...file, bytes: new Uint8Array(file.bytes).fill(1, 500, 600) };
    await expect(server.client.upload(part(changed, 0, 1000))).rejects.toThrow(
      /differs .* continue at offset 1000$/,
    );
    await server.client.upload(part(file, 1000, file.bytes.length - 1001));
    expect((await server.client.upload(part(file, file.bytes.length - 1, 1))).complete).toBe(true);
    // A repeated last part, whose answer got lost.
    expect((await server.client.upload(part(file, file.bytes.length - 1, 1))).complete).toBe(true);
  });

  it('gives up an upload that stops, and takes it again from the start', async () => {
    const server = await start();
    const file = binary('c');
    await server.client.upload(part(file, 0, 1000));
    server.advance(UPLOAD_IDLE_MS + 1);
    await server.symbols.expireUploads();
    expect(await counter(server, 'fleetflame_symbols_uploads_total', { result: 'expired' })).toBe(1);
    await expect(server.client.upload(part(file, 1000, 1000))).rejects.toThrow(/continue at offset 0$/);
    expect((await server.client.wanted({ buildIds: [file.buildId] })).buildIds).toEqual([file.buildId]);
    expect((await uploadFile(server.client, file)).complete).toBe(true);
  });
});

describe('SymbolService refuses', () => {
  const damaged: readonly (readonly [string, (file: Binary) => Binary, RegExp])[] = [
    [
      'what is not ELF',
      (file) => ({ ...file, bytes: new TextEncoder().encode('#!/bin/sh\n'.repeat(20)) }),
      /does not begin with 7f "ELF"/,
    ],
    [
      'a truncated binary',
      (file) => ({ ...file, bytes: file.bytes.subarray(0, 100) }),
      /program header table lies at bytes/,
    ],
    [
      'another binary than announced',
      (file) => ({ ...file, buildId: 'ab'.repeat(20) }),
      /not the same binary/,
    ],
    [
      'a binary of another machine',
      (file) => ({ ...file, bytes: new Uint8Array(file.bytes).fill(243, 18, 19) }),
      /machine 243 \(RISC-V\)/,
    ],
  ];

  it.each(damaged)('%s, and remembers why', async (_what, damage, reason) => {
    const server = await start();
    const file = damage(binary('c'));
    await expect(uploadFile(server.client, file)).rejects.toThrow(reason);
    const { binaries } = await server.client.status({ buildIds: [file.buildId] });
    expect(binaries).toMatchObject([{ source: 'none', problem: expect.stringMatching(reason) }]);
    expect((await server.client.wanted({ buildIds: [file.buildId] })).buildIds).toEqual([]);
    server.advance(FAILURE_RETRY_MS);
    expect((await server.client.wanted({ buildIds: [file.buildId] })).buildIds).toEqual([file.buildId]);
    const intact = binary('c');
    await uploadFile(server.client, intact);
    expect((await server.client.status({ buildIds: [intact.buildId] })).binaries).toMatchObject([
      { source: 'symtab', problem: '' },
    ]);
  });

  it.each([
    [
      'an upload over the limit',
      { totalBytes: BigInt(SYMBOL_LIMITS.uploadBytes) + 1n },
      Code.OutOfRange,
      /the most is/,
    ],
    [
      'a part over the limit',
      { totalBytes: 2n ** 28n, part: new Uint8Array(SYMBOL_LIMITS.partBytes + 1) },
      Code.OutOfRange,
      /smaller parts/,
    ],
    ['an absurd size', { totalBytes: 2n ** 64n - 1n }, Code.OutOfRange, /the most is/],
    ['an empty part', { part: new Uint8Array(0) }, Code.InvalidArgument, /it is empty/],
    ['a part beyond the end', { offset: 95n }, Code.InvalidArgument, /of an upload of 100/],
    ['a build id in capitals', { buildId: 'ABCDEF0123' }, Code.InvalidArgument, /is not a build id/],
    ['a build id that is a path', { buildId: '../../etc/passwd' }, Code.InvalidArgument, /is not a build id/],
    ['a build id that is too short', { buildId: 'abc' }, Code.InvalidArgument, /is not a build id/],
  ])('%s', async (_what, change, code, reason) => {
    const server = await start();
    const request = {
      buildId: '0123456789abcdef',
      fileName: 'x',
      totalBytes: 100n,
      offset: 0n,
      part: new Uint8Array(10),
    };
    const upload = server.client.upload({ ...request, ...change });
    await expect(upload).rejects.toMatchObject({ code });
    await expect(upload).rejects.toThrow(reason);
    expect((await server.client.status({})).binaries).toEqual([]);
  });

  it('more build ids than it takes, and ids that are none', async () => {
    const server = await start();
    const many = Array.from({ length: SYMBOL_LIMITS.buildIds + 1 }, (_, index) =>
      index.toString(16).padStart(8, '0'),
    );
    await expect(server.client.wanted({ buildIds: many })).rejects.toThrow(/4097 of them, the most is 4096/);
    await expect(server.client.wanted({ buildIds: ['00112233', 'no'] })).rejects.toThrow(/build_ids\[1\]/);
    await expect(server.client.status({ buildIds: ['no'] })).rejects.toThrow(/build_ids\[0\]/);
  });

  it('more uploads at once than it has room for', async () => {
    const server = await start();
    const announce = (index: number, totalBytes: bigint) =>
      server.client.upload({
        buildId: index.toString(16).padStart(8, '0'),
        totalBytes,
        offset: 0n,
        part: new Uint8Array(1),
      });
    for (let index = 0; index < 4; index++) await announce(index, BigInt(SYMBOL_LIMITS.uploadBytes));
    await expect(announce(4, 100n)).rejects.toThrow(/scratch space/);
    expect(await counter(server, 'fleetflame_symbols_refused_total', { reason: 'scratchBytes' })).toBe(1);
  });
});

describe('SymbolStore', () => {
  it('replaces a stripped binary by an unstripped one, not the other way round', async () => {
    const server = await start();
    const { store } = server.symbols;
    const conversion = {
      demangled: 0,
      demangleFailed: 0,
      lineRows: 0,
      inlines: 0,
      missingSupplement: undefined,
      problem: '',
      warnings: [],
    };
    const head = { buildId: 'ab'.repeat(10), fileName: 'x', uploadBytes: 1 };
    await store.add(head, { ...conversion, table: Uint8Array.of(1), symbols: 5, source: 'dynsym' });
    server.advance(1);
    await store.add(head, { ...conversion, table: Uint8Array.of(2), symbols: 50, source: 'symtab' });
    server.advance(1);
    expect(
      await store.add(head, { ...conversion, table: Uint8Array.of(3), symbols: 5, source: 'dynsym' }),
    ).toMatchObject({ symbols: 50 });
    await store.addFailure(head, 'broken');
    expect(await store.record(head.buildId)).toMatchObject({ symbols: 50, source: 'symtab', problem: '' });
    const other = await start({ folder: server.folder });
    expect(await other.symbols.store.record(head.buildId)).toMatchObject({ symbols: 50, source: 'symtab' });
  });

  it('keeps no more tables in memory than it may, least recently used out first', async () => {
    const files = [binary('c'), binary('cpp'), binary('cStripped')];
    const filled = await start();
    for (const file of files) await uploadFile(filled.client, file);
    const sizes: number[] = [];
    for (const file of files) sizes.push((await filled.symbols.store.table(file.buildId))?.sizeBytes ?? 0);
    const cacheBytes = (sizes[0] ?? 0) + (sizes[1] ?? 0);
    const server = await start({ folder: filled.folder, cacheBytes });
    const { store } = server.symbols;
    const [first, second, third] = files.map((file) => file.buildId);
    for (const id of [first, second, first, third, first]) await store.table(id ?? '');
    expect(await counter(server, 'fleetflame_symbols_tables_asked_total', { result: 'miss' })).toBe(3);
    expect(await counter(server, 'fleetflame_symbols_tables_asked_total', { result: 'hit' })).toBe(2);
    expect(await counter(server, 'fleetflame_symbols_tables_evicted_total', {})).toBeGreaterThan(0);
    expect(await counter(server, 'fleetflame_symbols_tables_bytes', {})).toBeLessThanOrEqual(cacheBytes);
    await store.table(second ?? '');
    expect(await counter(server, 'fleetflame_symbols_tables_asked_total', { result: 'miss' })).toBe(4);
  });

  it('counts a damaged table as none and wants the binary again', async () => {
    const server = await start();
    const file = binary('c');
    await uploadFile(server.client, file);
    const folder = `${server.folder}/symbols/${file.buildId}/v1`;
    const name = readdirSync(folder).find((one) => one.endsWith('.table')) ?? '';
    writeFileSync(`${folder}/${name}`, 'rotten');
    expect(await server.symbols.store.table(file.buildId)).toBeUndefined();
    expect((await server.client.wanted({ buildIds: [file.buildId] })).buildIds).toEqual([file.buildId]);
    server.advance(1);
    expect((await uploadFile(server.client, file)).complete).toBe(true);
    expect((await server.symbols.store.table(file.buildId))?.size).toBeGreaterThan(5);
  });
});
