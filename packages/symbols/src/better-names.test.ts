import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bufferSource, ElfFile } from '@fleetflame/elf';
import { buildProgram, PROGRAMS, splitDebug } from '@fleetflame/elf/testing';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { afterEach, describe, expect, it } from 'vitest';
import { FAILURE_RETRY_MS, LEASE_MS, REPLACED_GRACE_MS } from './limits.ts';
import { RECORD_FRESH_MS } from './record-book.ts';
import type { SweepDue } from './sweep-symbols.ts';
import {
  contentOf,
  counterOf,
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

function elf(path: string, buildId: string): TestUpload {
  return { buildId, fileName: 'shop', bytes: readFileSync(path) };
}

describe('better names for the same build id', () => {
  const whole = buildProgram(PROGRAMS.cpp);
  const folder = mkdtempSync(join(tmpdir(), 'fleetflame-symbols-split-'));
  const { stripped } = splitDebug(whole, folder);
  const buildId = ElfFile.parse(bufferSource(readFileSync(whole))).identity ?? '';

  it('are asked for when they are offered, and replace what was there', async () => {
    const server = await start();
    const { client } = server;
    expect(await wantedOf(client, [buildId], SymbolQuality.DYNSYM)).toEqual([buildId]);
    const poor = await uploadFile(client, { ...elf(stripped, buildId), quality: SymbolQuality.DYNSYM });
    expect(poor.binary?.source).toMatch(/dynsym|none/);
    const before = await server.symbols.store.table(buildId);
    server.advance(LEASE_MS + 1);
    expect(await wantedOf(client, [buildId], SymbolQuality.DYNSYM)).toEqual([]);
    expect(await wantedOf(client, [buildId], SymbolQuality.SYMTAB)).toEqual([buildId]);
    const good = await uploadFile(client, { ...elf(whole, buildId), quality: SymbolQuality.SYMTAB });
    expect(good.binary).toMatchObject({ source: 'symtab' });
    expect((await server.symbols.store.table(buildId))?.size).toBeGreaterThan(before?.size ?? 0);
    // A stripped copy changes nothing.
    const again = await uploadFile(client, { ...elf(stripped, buildId), quality: SymbolQuality.DYNSYM });
    expect(again.binary).toMatchObject({ source: 'symtab' });
    expect(await counterOf(server, 'fleetflame_symbols_uploads_total', { result: 'known' })).toBe(1);
  });

  it('that turn out to be none are not asked for again at once', async () => {
    const server = await start();
    const { client } = server;
    await uploadFile(client, { ...elf(whole, buildId), quality: SymbolQuality.SYMTAB });
    server.advance(LEASE_MS + 1);
    expect(await wantedOf(client, [buildId], SymbolQuality.DWARF)).toEqual([buildId]);
    const lie = await uploadFile(client, { ...elf(stripped, buildId), quality: SymbolQuality.DWARF });
    expect(lie.binary).toMatchObject({ source: 'symtab', problem: expect.stringMatching(/no better/) });
    const sender = { uploader: 'a'.repeat(16), content: contentOf(elf(stripped, buildId)) };
    expect(await wantedOf(client, [buildId], SymbolQuality.DWARF, sender)).toEqual([]);
    // Of others it is not known.
    const other = { ...sender, uploader: 'b'.repeat(16) };
    expect(await wantedOf(client, [buildId], SymbolQuality.DWARF, other)).toEqual([buildId]);
    server.advance(FAILURE_RETRY_MS);
    expect(await wantedOf(client, [buildId], SymbolQuality.DWARF, sender)).toEqual([buildId]);
  });

  it('reach a server that knows only the old ones', async () => {
    const one = await start();
    const two = await start({ folder: one.folder });
    await uploadFile(one.client, { ...elf(stripped, buildId), quality: SymbolQuality.DYNSYM });
    const before = await two.symbols.store.table(buildId);
    await uploadFile(one.client, { ...elf(whole, buildId), quality: SymbolQuality.SYMTAB });
    two.advance(RECORD_FRESH_MS + 1);
    // It is read again behind the back of who asks.
    await two.symbols.store.table(buildId);
    await two.symbols.store.settled();
    expect((await two.symbols.store.table(buildId))?.size).toBeGreaterThan(before?.size ?? 0);
  });

  it('let the replaced ones be deleted after a grace, also where another server still counts on them', async () => {
    const one = await start();
    await uploadFile(one.client, { ...elf(stripped, buildId), quality: SymbolQuality.DYNSYM });
    const two = await start({ folder: one.folder });
    const old = await two.symbols.store.record(buildId);
    one.advance(1000);
    await uploadFile(one.client, { ...elf(whole, buildId), quality: SymbolQuality.SYMTAB });
    const folder = `${one.folder}/symbols/${buildId}/v1`;
    expect(readdirSync(folder)).toHaveLength(4);
    one.advance(REPLACED_GRACE_MS - 1);
    await one.symbols.maintain();
    expect(readdirSync(folder)).toHaveLength(4);
    one.advance(2);
    await one.symbols.maintain();
    expect(readdirSync(folder)).toHaveLength(2);
    expect(await counterOf(one, 'fleetflame_symbols_replaced_objects_deleted_total', {})).toBe(2);
    expect(readdirSync(folder)).not.toContain(old?.table.split('/').at(-1));
    // This one did not hear of it: it finds the table gone, and then the new one.
    expect(await two.symbols.store.record(buildId)).toEqual(old);
    expect((await two.symbols.store.table(buildId))?.size).toBeGreaterThan(old?.symbols ?? 0);
  });

  it('stay for as long as somebody holds their sweep back, who is told how many of how many it is', async () => {
    const asked: SweepDue[] = [];
    let allowed = false;
    const allowSweep = (due: SweepDue): Promise<boolean> => {
      asked.push(due);
      return Promise.resolve(allowed);
    };
    const server = await start({ allowSweep });
    await uploadFile(server.client, { ...elf(stripped, buildId), quality: SymbolQuality.DYNSYM });
    server.advance(1000);
    await uploadFile(server.client, { ...elf(whole, buildId), quality: SymbolQuality.SYMTAB });
    const folder = `${server.folder}/symbols/${buildId}/v1`;
    await server.symbols.maintain();
    server.advance(REPLACED_GRACE_MS + 1);
    await server.symbols.maintain();
    expect(readdirSync(folder)).toHaveLength(4);
    expect(asked.map(({ objects, of }) => [objects, of])).toEqual([
      [0, 4],
      [2, 4],
    ]);
    expect((asked[1]?.dueMs ?? 0) - (asked[1]?.fromMs ?? 0)).toBe(REPLACED_GRACE_MS + 1000);
    allowed = true;
    await server.symbols.maintain();
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it('are kept when what replaced them is damaged', async () => {
    const server = await start();
    await uploadFile(server.client, { ...elf(stripped, buildId), quality: SymbolQuality.DYNSYM });
    server.advance(1000);
    const good = await uploadFile(server.client, { ...elf(whole, buildId), quality: SymbolQuality.SYMTAB });
    const record = await server.symbols.store.read(buildId);
    writeFileSync(`${server.folder}/${record?.table}`, 'rotten');
    server.advance(REPLACED_GRACE_MS + 1);
    await server.symbols.maintain();
    const table = await server.symbols.store.table(buildId);
    expect(table).toBeDefined();
    expect(table?.size).toBeLessThan(Number(good.binary?.symbols));
    expect(await wantedOf(server.client, [buildId], SymbolQuality.SYMTAB)).toEqual([buildId]);
  });
});
