import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Code } from '@connectrpc/connect';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { afterEach, describe, expect, it } from 'vitest';
import { ABANDONED_MS, FAILURE_RETRY_MS, LEASE_MS, SYMBOL_LIMITS } from './limits.ts';
import {
  contentOf,
  counterOf,
  partOf,
  programUpload,
  startSymbolServer,
  uploadFile,
  wantedOf,
  type SymbolServer,
  type TestUpload,
} from './testing/index.ts';

const servers: SymbolServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(options: Parameters<typeof startSymbolServer>[0] = {}): Promise<SymbolServer> {
  const server = await startSymbolServer(options);
  servers.push(server);
  return server;
}

describe('SymbolService', () => {
  it('asks for a binary, takes it in parts, and names its addresses from then on', async () => {
    const server = await start();
    const file = programUpload('cpp');
    const ids = [file.buildId, '00112233'];
    expect(await wantedOf(server.client, ids)).toEqual(ids);
    expect(await server.symbols.store.table(file.buildId)).toBeUndefined();
    const answer = await uploadFile(server.client, file, 5000);
    expect(answer.complete).toBe(true);
    server.advance(LEASE_MS);
    expect(await wantedOf(server.client, ids)).toEqual(['00112233']);
    const { binaries } = await server.client.status({});
    expect(binaries).toEqual([answer.binary]);
    const table = await server.symbols.store.table(file.buildId);
    expect(binaries[0]).toMatchObject({
      buildId: file.buildId,
      fileName: 'shop',
      symbols: BigInt(table?.size ?? 0),
      source: 'symtab',
      problem: '',
      origin: 'upload',
      uploadBytes: BigInt(file.bytes.length),
      receivingTotalBytes: 0n,
    });
    const names = Array.from({ length: table?.size ?? 0 }, (_, index) => table?.name(index));
    expect(names).toContain('main');
    expect(names).toContain('shop::cart::(anonymous namespace)::hidden(shop::cart::Order const&)');
    expect(await server.symbols.store.table('00112233')).toBeUndefined();
  });

  it('finds what an earlier server stored', async () => {
    const first = await start();
    const file = programUpload('goStripped');
    await uploadFile(first.client, file);
    const second = await start({ folder: first.folder });
    expect(await wantedOf(second.client, [file.buildId])).toEqual([]);
    const { binaries } = await second.client.status({ buildIds: [file.buildId, 'ffffffff'] });
    expect(binaries.map((one) => [one.buildId, one.source])).toEqual([[file.buildId, 'gopclntab']]);
    expect((await second.symbols.store.table(file.buildId))?.size).toBeGreaterThan(1000);
  });

  it('says of an upload under way how far it is', async () => {
    const server = await start();
    const file = programUpload('c');
    await server.client.upload(partOf(file, 0, 1000));
    expect((await server.client.status({})).binaries).toMatchObject([
      {
        buildId: file.buildId,
        fileName: 'shop',
        source: '',
        receivingBytes: 1000n,
        receivingTotalBytes: BigInt(file.bytes.length),
        converting: false,
      },
    ]);
  });

  it('goes on where it is, whatever the sender believes', async () => {
    const server = await start();
    const file = programUpload('c');
    const next = async (offset: number, length: number): Promise<number> =>
      Number((await server.client.upload(partOf(file, offset, length))).nextOffset);
    expect(await next(1000, 1000)).toBe(0);
    expect(await next(0, 0)).toBe(0);
    expect(await next(0, 1000)).toBe(1000);
    expect(await next(0, 1000)).toBe(1000);
    expect(await next(500, 1000)).toBe(1000);
    expect(await next(3000, 1000)).toBe(1000);
    expect(await next(1000, file.bytes.length - 1001)).toBe(file.bytes.length - 1);
    const last = partOf(file, file.bytes.length - 1, 1);
    expect((await server.client.upload(last)).nextOffset).toBe(BigInt(file.bytes.length));
    expect((await server.client.upload(partOf(file, file.bytes.length, 0))).complete).toBe(true);
    // A repeated last part, whose answer got lost.
    expect((await server.client.upload(last)).complete).toBe(true);
    expect((await server.client.upload({ ...last, replace: true })).complete).toBe(true);
    expect(await counterOf(server, 'fleetflame_symbols_uploads_total', { result: 'stored' })).toBe(1);
  });

  it('uses the scratch space that it is given, and empties it', async () => {
    const scratchDir = join(mkdtempSync(join(tmpdir(), 'fleetflame-scratch-')), 'scratch');
    mkdirSync(scratchDir);
    writeFileSync(join(scratchDir, '7.elf'), 'left by a crash');
    const server = await start({ scratchDir });
    const name = '\u0007../../a\nb/shop\u0000';
    const answer = await uploadFile(server.client, { ...programUpload('c'), fileName: name });
    expect(answer.binary).toMatchObject({ source: 'symtab', fileName: 'shop' });
    expect(readdirSync(scratchDir)).toEqual([]);
    await server.symbols.close();
    expect(existsSync(scratchDir)).toBe(false);
    rmSync(dirname(scratchDir), { recursive: true });
  });

  it('answers while it converts, and the sender asks again', async () => {
    const server = await start({ pollMs: 1 });
    const file = programUpload('cpp');
    const first = await server.client.upload(partOf(file, 0, file.bytes.length));
    expect(first).toMatchObject({ complete: false, nextOffset: BigInt(file.bytes.length) });
    const status = await server.client.status({ buildIds: [file.buildId] });
    expect(status.binaries).toMatchObject([{ converting: true }]);
    let answer = first;
    while (!answer.complete) answer = await server.client.upload(partOf(file, file.bytes.length, 0));
    expect(answer.binary).toMatchObject({ source: 'symtab' });
  });
});

describe('SymbolService refuses', () => {
  const damaged: readonly (readonly [string, (file: TestUpload) => TestUpload, RegExp])[] = [
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
    [
      'a supplementary file without debug information',
      (file) => ({ ...file, supplementary: true }),
      /no .debug_info/,
    ],
  ];

  it.each(damaged)('%s, and remembers why', async (_what, damage, reason) => {
    const server = await start();
    const file = damage(programUpload('c'));
    await expect(uploadFile(server.client, file)).rejects.toThrow(reason);
    const { binaries } = await server.client.status({ buildIds: [file.buildId] });
    expect(binaries).toMatchObject([{ source: 'none', problem: expect.stringMatching(reason) }]);
    // That file of that sender need not be sent again; what others have may be intact.
    const content = contentOf(file);
    const ask = (uploader: string): Promise<readonly string[]> =>
      wantedOf(server.client, [file.buildId], SymbolQuality.DYNSYM, { uploader, content });
    expect(await ask('a'.repeat(16))).toEqual([]);
    expect(await ask('b'.repeat(16))).toEqual([file.buildId]);
    server.advance(FAILURE_RETRY_MS);
    expect(await ask('a'.repeat(16))).toEqual([file.buildId]);
    const intact = programUpload('c');
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
    ['parts of which there would be too many', { totalBytes: 2n ** 28n }, Code.OutOfRange, /larger parts/],
    ['an absurd size', { totalBytes: 2n ** 64n - 1n }, Code.OutOfRange, /the most is/],
    [
      'a supplementary file over the limit',
      { totalBytes: BigInt(SYMBOL_LIMITS.supplementBytes) + 1n, supplementary: true },
      Code.OutOfRange,
      /the most is/,
    ],
    ['nothing', { totalBytes: 0n, part: new Uint8Array(0) }, Code.InvalidArgument, /total_bytes: 0/],
    ['a part beyond the end', { offset: 95n }, Code.InvalidArgument, /of an upload of 100/],
    ['a build id in capitals', { buildId: 'ABCDEF0123' }, Code.InvalidArgument, /is not a build id/],
    ['a build id that is a path', { buildId: '../../etc/passwd' }, Code.InvalidArgument, /is not a build id/],
    ['a build id that is too short', { buildId: 'abc' }, Code.InvalidArgument, /is not a build id/],
    [
      'a content that is a path',
      { content: '../../../../../etc/x' },
      Code.InvalidArgument,
      /content: .* hex/,
    ],
    ['an uploader without a name', { uploader: '' }, Code.InvalidArgument, /uploader: .* hex/],
  ])('%s', async (_what, change, code, reason) => {
    const server = await start();
    const request = {
      buildId: '0123456789abcdef',
      fileName: 'x',
      totalBytes: 100n,
      offset: 0n,
      part: new Uint8Array(10),
      content: 'c'.repeat(32),
      uploader: 'd'.repeat(32),
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
    await expect(wantedOf(server.client, many)).rejects.toThrow(/4097 of them, the most is 4096/);
    await expect(wantedOf(server.client, ['00112233', 'no'])).rejects.toThrow(/offers\[1\]/);
    await expect(server.client.status({ buildIds: ['no'] })).rejects.toThrow(/build_ids\[0\]/);
  });

  it('for now what there is no room for, and takes it later', async () => {
    const limits = { keptBytes: 5000, uploads: 2 };
    const server = await start({ limits });
    const upload = async (name: string, totalBytes: number) =>
      await server.client.upload(
        partOf(
          { buildId: name.repeat(8), fileName: name, bytes: new Uint8Array(totalBytes) },
          0,
          1000,
          name.repeat(16),
        ),
      );
    expect((await upload('a', 3000)).nextOffset).toBe(1000n);
    expect((await upload('b', 4500)).busyMs).toBeGreaterThan(0);
    expect(await counterOf(server, 'fleetflame_symbols_refused_total', { reason: 'keptBytes' })).toBe(1);
    expect((await upload('c', 3000)).nextOffset).toBe(1000n);
    expect((await upload('d', 1500)).busyMs).toBeGreaterThan(0);
    expect(await counterOf(server, 'fleetflame_symbols_refused_total', { reason: 'uploads' })).toBe(1);
    server.advance(ABANDONED_MS + LEASE_MS + 1);
    await server.symbols.maintain();
    expect((await upload('d', 1500)).nextOffset).toBe(1000n);
    expect((await upload('b', 3500)).nextOffset).toBe(1000n);
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
    const files = [programUpload('c'), programUpload('cpp'), programUpload('cStripped')];
    const filled = await start();
    for (const file of files) await uploadFile(filled.client, file);
    const sizes: number[] = [];
    for (const file of files) sizes.push((await filled.symbols.store.table(file.buildId))?.sizeBytes ?? 0);
    const cacheBytes = (sizes[0] ?? 0) + (sizes[1] ?? 0);
    const server = await start({ folder: filled.folder, cacheBytes });
    const { store } = server.symbols;
    const [first, second, third] = files.map((file) => file.buildId);
    for (const id of [first, second, first, third, first]) await store.table(id ?? '');
    expect(await counterOf(server, 'fleetflame_symbols_tables_asked_total', { result: 'miss' })).toBe(3);
    expect(await counterOf(server, 'fleetflame_symbols_tables_asked_total', { result: 'hit' })).toBe(2);
    expect(await counterOf(server, 'fleetflame_symbols_tables_evicted_total', {})).toBeGreaterThan(0);
    expect(await counterOf(server, 'fleetflame_symbols_tables_bytes', {})).toBeLessThanOrEqual(cacheBytes);
    await store.table(second ?? '');
    expect(await counterOf(server, 'fleetflame_symbols_tables_asked_total', { result: 'miss' })).toBe(4);
  });

  it('counts a damaged table as none and wants the binary again', async () => {
    const server = await start();
    const file = programUpload('c');
    await uploadFile(server.client, file);
    const folder = `${server.folder}/symbols/${file.buildId}/v1`;
    const name = readdirSync(folder).find((one) => one.endsWith('.table')) ?? '';
    writeFileSync(`${folder}/${name}`, 'rotten');
    expect(await server.symbols.store.table(file.buildId)).toBeUndefined();
    expect(await wantedOf(server.client, [file.buildId])).toEqual([file.buildId]);
    server.advance(1);
    expect((await uploadFile(server.client, file)).complete).toBe(true);
    expect((await server.symbols.store.table(file.buildId))?.size).toBeGreaterThan(5);
  });
});
