/** Anybody may send anything for any build id: what one sender does must not cost the others their names. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildProgram, PROGRAMS } from '@fleetflame/elf/testing';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { afterEach, describe, expect, it } from 'vitest';
import { LEASE_MS } from './limits.ts';
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

const STRANGER = '5'.repeat(16);
const OWN = 'a'.repeat(16);

const servers: SymbolServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(options: Parameters<typeof startSymbolServer>[0] = {}): Promise<SymbolServer> {
  const server = await startSymbolServer(options);
  servers.push(server);
  return server;
}

/** A program under the build id of another one. */
function forged(program: Parameters<typeof programUpload>[0], buildId: string): TestUpload {
  const file = programUpload(program);
  const bytes = Buffer.from(file.bytes);
  const own = Buffer.from(file.buildId, 'hex');
  const at = bytes.indexOf(own);
  expect(at).toBeGreaterThan(0);
  Buffer.from(buildId, 'hex').copy(bytes, at, 0, own.length);
  return { ...file, buildId, bytes };
}

const names = async (server: SymbolServer, buildId: string): Promise<string[]> => {
  const table = await server.symbols.store.table(buildId);
  return Array.from({ length: table?.size ?? 0 }, (_, index) => table?.name(index) ?? '');
};

describe('a stranger', () => {
  it('who sends junk, again and again and under many names, does not stop the file itself', async () => {
    const server = await start();
    const file = programUpload('cpp');
    const ask = (): Promise<readonly string[]> =>
      wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB, {
        uploader: OWN,
        content: contentOf(file),
      });
    expect(await ask()).toEqual([file.buildId]);
    for (let i = 0; i < 40; i++) {
      const junk = { ...file, bytes: Buffer.from(`not ELF ${i}`), quality: SymbolQuality.DWARF };
      const name = i.toString(16).padStart(16, '0');
      await expect(uploadFile(server.client, junk, 4096, name)).rejects.toThrow(/ELF/);
      server.advance(1000);
      expect(await ask(), `after ${i + 1}`).toEqual([file.buildId]);
    }
    expect((await uploadFile(server.client, file)).binary).toMatchObject({ source: 'symtab', problem: '' });
    // Nor does it spoil what is told of it, or fill the storage.
    const again = { ...file, bytes: Buffer.from('not ELF either'), quality: SymbolQuality.DWARF };
    await expect(uploadFile(server.client, again, 4096, STRANGER)).rejects.toThrow(/ELF/);
    const { binaries } = await server.client.status({ buildIds: [file.buildId] });
    expect(binaries).toMatchObject([
      { source: 'symtab', problem: '', uploader: OWN.slice(0, 8), content: contentOf(file) },
    ]);
  });

  it('who names the content of another file does not make it known as bad', async () => {
    const server = await start();
    const file = programUpload('cpp');
    const lie = { ...partOf(file, 0, 8, STRANGER), totalBytes: 8n, part: Buffer.from('not ELF!') };
    await server.client.upload(lie);
    const end = { ...lie, offset: 8n, part: new Uint8Array(0) };
    await expect(server.client.upload(end)).rejects.toThrow(/ELF/);
    const sender = { uploader: OWN, content: contentOf(file) };
    expect(await wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB, sender)).toEqual([
      file.buildId,
    ]);
  });

  it('who puts his parts among those of a file makes it be sent again, not refused', async () => {
    const server = await start();
    const file = programUpload('cpp');
    const part = { ...partOf(file, 0, 1000, STRANGER), part: new Uint8Array(1000).fill(7) };
    expect((await server.client.upload(part)).nextOffset).toBe(1000n);
    server.advance(LEASE_MS + 1);
    await expect(uploadFile(server.client, file)).rejects.toThrow(/send all of it/);
    const sender = { uploader: OWN, content: contentOf(file) };
    expect(await wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB, sender)).toEqual([
      file.buildId,
    ]);
    server.advance(1000);
    await server.client.upload({ ...part, uploader: '6'.repeat(16) });
    server.advance(LEASE_MS + 1);
    expect((await uploadFile(server.client, file)).binary).toMatchObject({ source: 'symtab' });
  });

  it('who claims the best quality and has little is believed by nobody', async () => {
    const server = await start();
    const poor = forged('cStripped', programUpload('cpp').buildId);
    const file = programUpload('cpp');
    await uploadFile(server.client, { ...poor, quality: SymbolQuality.DWARF }, 4096, STRANGER);
    const sender = { uploader: OWN, content: contentOf(file) };
    expect(await wantedOf(server.client, [file.buildId], SymbolQuality.DWARF, sender)).toEqual([
      file.buildId,
    ]);
    expect(await wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB)).toEqual([]);
  });

  it('who sends a file of the same build id with other functions replaces nothing, also if he says so', async () => {
    const server = await start();
    const file = programUpload('cpp');
    await uploadFile(server.client, file);
    const before = await names(server, file.buildId);
    for (const replace of [false, true]) {
      for (const program of ['goStripped', 'c', 'cStripped'] as const) {
        server.advance(1000);
        const other = { ...forged(program, file.buildId), quality: SymbolQuality.DWARF, replace };
        const answer = await uploadFile(server.client, other, 256 * 1024, STRANGER);
        expect(answer.binary?.problem).toMatch(/no better|other functions/);
        expect(await names(server, file.buildId)).toEqual(before);
      }
    }
    expect(await counterOf(server, 'fleetflame_symbols_contradicting_total', {})).toBeGreaterThan(0);
    const { binaries } = await server.client.status({ buildIds: [file.buildId] });
    expect(binaries).toMatchObject([{ uploader: OWN.slice(0, 8), problem: '', replaced: '' }]);
  });

  it('who sends a part of the functions first does not keep away the rest', async () => {
    const server = await start();
    const file = programUpload('cpp');
    const sender = { uploader: OWN, content: contentOf(file) };
    const ask = (from = sender) => wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB, from);
    // Its table says symtab, and has a few functions of another program.
    await uploadFile(server.client, { ...forged('c', file.buildId) }, 256 * 1024, STRANGER);
    expect((await names(server, file.buildId)).length).toBeGreaterThan(0);
    expect(await ask()).toEqual([file.buildId]);
  });

  it('who sends the file itself with most of its functions taken out is replaced by who has them', async () => {
    const server = await start();
    const file = programUpload('cpp');
    const folder = mkdtempSync(join(tmpdir(), 'fleetflame-poor-'));
    const path = join(folder, 'poor');
    execFileSync('objcopy', ['--strip-all', '--keep-symbol=main', buildProgram(PROGRAMS.cpp), path]);
    const poor = { ...file, bytes: readFileSync(path) };
    rmSync(folder, { recursive: true });
    const first = await uploadFile(server.client, poor, 256 * 1024, STRANGER);
    expect(first.binary).toMatchObject({ source: 'symtab', uploader: STRANGER.slice(0, 8) });
    const sender = { uploader: OWN, content: contentOf(file) };
    expect(await wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB, sender)).toEqual([
      file.buildId,
    ]);
    server.advance(1000);
    const { binary } = await uploadFile(server.client, file);
    expect(binary).toMatchObject({ source: 'symtab', uploader: OWN.slice(0, 8), problem: '' });
    expect(binary?.replaced).toMatch(/^symtab with \d+ functions, of upload 55555555, /);
    expect(binary?.symbols).toBeGreaterThan(first.binary?.symbols ?? 0n);
    // Nor does it come back.
    server.advance(1000);
    await uploadFile(server.client, { ...poor, replace: true }, 256 * 1024, '8'.repeat(16));
    const named = { ...partOf(poor, 0, poor.bytes.length, '9'.repeat(16)), replace: true };
    const content = contentOf(file);
    await server.client.upload({ ...named, content });
    await server.client.upload({ ...named, content, offset: named.totalBytes!, part: new Uint8Array(0) });
    expect((await names(server, file.buildId)).length).toBe(Number(binary?.symbols));
  });

  it('who agrees with what is there is the last one that is asked', async () => {
    const server = await start();
    const file = programUpload('cpp');
    await uploadFile(server.client, file, 256 * 1024, STRANGER);
    const other = { ...file, bytes: Buffer.concat([file.bytes, Buffer.alloc(64)]) };
    const from = (uploader: string) => ({ uploader, content: contentOf(other) });
    expect(await wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB, from(OWN))).toEqual([
      file.buildId,
    ]);
    const answer = await uploadFile(server.client, other, 256 * 1024, OWN);
    expect(answer).toMatchObject({ complete: true, binary: { uploader: STRANGER.slice(0, 8), problem: '' } });
    const third = from('7'.repeat(16));
    expect(await wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB, third)).toEqual([]);
  });

  it('who calls a binary a supplementary file neither hides nor keeps away its names', async () => {
    const server = await start();
    const file = programUpload('cpp');
    const { store } = server.symbols;
    const head = { buildId: file.buildId, fileName: 'x', uploadBytes: 1, uploader: STRANGER };
    await store.addSupplement(head, Buffer.from('made up'));
    expect(await wantedOf(server.client, [file.buildId])).toEqual([file.buildId]);
    expect((await uploadFile(server.client, file)).binary).toMatchObject({ source: 'symtab' });
    server.advance(1000);
    await store.addSupplement(head, Buffer.from('made up again'));
    expect(await names(server, file.buildId)).toContain('main');
  });

  it('who holds an upload without sending loses it, and lets others go first', async () => {
    const server = await start();
    const file = programUpload('cpp');
    const hold = () => server.client.upload(partOf(file, 0, 0, STRANGER));
    expect((await hold()).busyMs).toBe(0);
    const startedMs = LEASE_MS * 3;
    let passedMs = 0;
    let answer = await server.client.upload(partOf(file, 0, 0));
    for (; answer.busyMs > 0 && passedMs < startedMs; passedMs += 1000) {
      server.advance(1000);
      await hold();
      answer = await server.client.upload(partOf(file, 0, 0));
    }
    expect(passedMs).toBeLessThanOrEqual(LEASE_MS + 1000);
    expect((await hold()).busyMs).toBeGreaterThan(0);
    expect((await uploadFile(server.client, file)).complete).toBe(true);
  });

  it('who is asked and never begins does not keep others from being asked', async () => {
    const server = await start();
    const file = programUpload('c');
    let waitedMs = 0;
    for (; waitedMs < 10 * LEASE_MS; waitedMs += 1000) {
      await wantedOf(server.client, [file.buildId], SymbolQuality.SYMTAB, { uploader: STRANGER });
      if ((await wantedOf(server.client, [file.buildId])).length > 0) break;
      server.advance(1000);
    }
    expect(waitedMs).toBeLessThan(5 * LEASE_MS);
  });

  it('who opens many uploads, or huge ones, has a quarter of the room', async () => {
    const server = await start({
      limits: { uploads: 8, keptBytes: 100_000 },
      addressOf: ({ requestHeader }) => requestHeader.get('test-address') ?? '',
    });
    const upload = async (id: number, totalBytes: number, address: string) => {
      const bytes = new Uint8Array(totalBytes);
      const file = { buildId: id.toString(16).padStart(16, '0'), fileName: 'x', bytes };
      const part = partOf(file, 0, 100, id.toString(16).padStart(16, '0'));
      return await server.client.upload(part, { headers: { 'test-address': address } });
    };
    expect((await upload(1, 1000, '192.0.2.1')).nextOffset).toBe(100n);
    expect((await upload(2, 30_000, '192.0.2.1')).busyMs).toBeGreaterThan(0);
    expect((await upload(3, 1000, '192.0.2.1')).nextOffset).toBe(100n);
    expect((await upload(4, 1000, '192.0.2.1')).busyMs).toBeGreaterThan(0);
    expect((await upload(5, 1000, '192.0.2.2')).nextOffset).toBe(100n);
    const refused = (reason: string) => counterOf(server, 'fleetflame_symbols_refused_total', { reason });
    expect([await refused('addressBytes'), await refused('addressUploads')]).toEqual([1, 1]);
  });
});
