import { cpSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { afterEach, describe, expect, it } from 'vitest';
import { ABANDONED_MS, LEASE_MS } from '../limits.ts';
import {
  counterOf,
  partOf,
  programUpload,
  startSymbolServer,
  uploadFile,
  wantedOf,
  type SymbolServer,
} from '../testing/index.ts';

const servers: SymbolServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(options: Parameters<typeof startSymbolServer>[0] = {}): Promise<SymbolServer> {
  const server = await startSymbolServer(options);
  servers.push(server);
  return server;
}

describe('one upload of a fleet', () => {
  it('asks one host at a time, and the next when that one stops', async () => {
    const server = await start();
    const file = programUpload('c');
    expect(await wantedOf(server.client, [file.buildId])).toEqual([file.buildId]);
    const second = await server.client.wanted({ offers: [{ buildId: file.buildId, quality: 2, bytes: 1n }] });
    expect(second).toMatchObject({ buildIds: [], later: [file.buildId] });
    expect(second.laterMs).toBeGreaterThan(0);
    server.advance(LEASE_MS + 1);
    expect(await wantedOf(server.client, [file.buildId])).toEqual([file.buildId]);
    await server.client.upload(partOf(file, 0, 100));
    server.advance(LEASE_MS - 1);
    expect(await wantedOf(server.client, [file.buildId])).toEqual([]);
    // That upload stopped: the next host takes it over.
    server.advance(2);
    expect(await wantedOf(server.client, [file.buildId])).toEqual([file.buildId]);
    const other = 'b'.repeat(16);
    expect((await server.client.upload(partOf(file, 0, 0, other))).nextOffset).toBe(100n);
    expect((await uploadFile(server.client, file, 4000, other)).complete).toBe(true);
  });

  it('two hosts that begin at once: one sends, the other is told to come back', async () => {
    const server = await start();
    const file = programUpload('c');
    const [one, two] = ['1'.repeat(16), '2'.repeat(16)];
    const first = await Promise.all(
      [one, two].map((name) => server.client.upload(partOf(file, 0, 1000, name))),
    );
    expect(first.filter((answer) => answer.busyMs > 0)).toHaveLength(1);
    expect(first.filter((answer) => answer.nextOffset === 1000n)).toHaveLength(1);
    expect(await counterOf(server, 'fleetflame_symbols_received_bytes', {})).toBe(1000);
    const winner = first[0]?.busyMs === 0 ? one : two;
    expect((await uploadFile(server.client, file, 4000, winner)).complete).toBe(true);
    const loser = winner === one ? two : one;
    // What it had to send is there by now.
    expect((await server.client.upload(partOf(file, 0, 0, loser))).complete).toBe(true);
    expect(await counterOf(server, 'fleetflame_symbols_received_bytes', {})).toBe(file.bytes.length);
  });

  it('also when they reach different servers with one storage', async () => {
    const one = await start();
    const two = await start({ folder: one.folder });
    const file = programUpload('c');
    const both = [one, two];
    const names = ['1'.repeat(16), '2'.repeat(16)];
    const first = await Promise.all(
      both.map((server, index) => server.client.upload(partOf(file, 0, 1000, names[index]))),
    );
    expect(first.filter((answer) => answer.busyMs > 0)).toHaveLength(1);
    const winner = first.findIndex((answer) => answer.busyMs === 0);
    expect(await wantedOf(both[1 - winner]!.client, [file.buildId])).toEqual([]);
    // The parts of one sender may go to any server.
    let offset = 1000n;
    let complete = false;
    for (let turn = 0; !complete; turn++) {
      const answer = await both[turn % 2]!.client.upload(partOf(file, Number(offset), 5000, names[winner]));
      ({ complete } = answer);
      // While the other one converts, this one says to come back.
      if (answer.busyMs > 0) continue;
      expect(complete || answer.nextOffset >= offset).toBe(true);
      offset = answer.nextOffset;
    }
    for (const server of both) {
      expect((await server.symbols.store.read(file.buildId))?.source).toBe('symtab');
    }
    // Nothing is left of the parts and the leases.
    const left = readdirSync(one.folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(new Set(left.map((entry) => entry.name.split('.').at(-1)))).toEqual(new Set(['json', 'table']));
  });

  it('survives the server: the next one goes on with the parts', async () => {
    const first = await startSymbolServer();
    const file = programUpload('cpp');
    const half = file.bytes.length >> 1;
    await first.client.upload(partOf(file, 0, half));
    const copy = mkdtempSync(join(tmpdir(), 'fleetflame-symbols-test-'));
    cpSync(first.folder, copy, { recursive: true });
    await first.close();
    const second = await start({ folder: copy });
    expect(Number((await second.client.upload(partOf(file, half + 10, 10))).nextOffset)).toBe(half);
    expect((await uploadFile(second.client, file)).complete).toBe(true);
    expect(await counterOf(second, 'fleetflame_symbols_received_bytes', {})).toBe(file.bytes.length - half);
  });

  it('gives up an upload that stops, and takes it again from the start', async () => {
    const server = await start();
    const file = programUpload('c');
    await server.client.upload(partOf(file, 0, 1000));
    server.advance(ABANDONED_MS);
    await server.symbols.maintain();
    expect((await server.client.status({})).binaries).toEqual([]);
    server.advance(LEASE_MS + 1);
    await server.symbols.maintain();
    expect(await counterOf(server, 'fleetflame_symbols_uploads_total', { result: 'expired' })).toBe(1);
    expect((await server.client.upload(partOf(file, 1000, 1000))).nextOffset).toBe(0n);
    expect(await wantedOf(server.client, [file.buildId])).toEqual([]);
    expect((await uploadFile(server.client, file)).complete).toBe(true);
  });

  it('takes a symbols-only upload of a sender whose larger one stopped', async () => {
    const server = await start();
    const large = { ...programUpload('cpp'), quality: SymbolQuality.DWARF };
    const small = {
      ...programUpload('cpp'),
      bytes: programUpload('cpp').bytes.slice(),
      quality: SymbolQuality.SYMTAB,
    };
    // Other contents of the same binary.
    const other = { ...large, bytes: Buffer.concat([large.bytes, Buffer.alloc(100)]) };
    await server.client.upload(partOf(other, 0, 1000));
    expect((await uploadFile(server.client, small)).complete).toBe(true);
    expect((await server.client.status({})).binaries).toMatchObject([
      { source: 'symtab', receivingBytes: 0n },
    ]);
  });
});
