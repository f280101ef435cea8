import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bufferSource, ElfFile, readDebugAltLink } from '@fleetflame/elf';
import { buildProgram, PROGRAMS, splitDebug } from '@fleetflame/elf/testing';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { SymbolNeeds } from '@fleetflame/symbols';
import {
  counterOf,
  directoryStorage,
  startSymbolServer,
  wantedOf,
  type SymbolServer,
} from '@fleetflame/symbols/testing';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DebuginfodServer } from './support/debuginfod-server.ts';
import { runCli } from './support/product.ts';

const DAY = 24 * 3600_000;
const UNKNOWN = 'ab'.repeat(20);

function buildIdOf(path: string): string {
  return ElfFile.parse(bufferSource(readFileSync(path)), { relocatable: true }).identity ?? '';
}

function counts(server: SymbolServer, result: string): Promise<number> {
  return counterOf(server, 'fleetflame_symbols_debuginfod_binaries_total', { result });
}

function requests(server: SymbolServer, result: string): Promise<number> {
  return counterOf(server, 'fleetflame_symbols_debuginfod_requests_total', { result });
}

/** As if a query wanted names; resolves when what came of it is stored. */
async function meet(server: SymbolServer, buildId: string): Promise<void> {
  await server.symbols.store.record(buildId);
  server.symbols.debuginfod?.work();
  await server.symbols.debuginfod?.settled();
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `http://127.0.0.1:${address.port}`;
}

describe('a debuginfod server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleetflame-debuginfod-test-'));
  const published = join(folder, 'published');
  const whole = buildProgram(PROGRAMS.c);
  const id = buildIdOf(whole);
  const strippedId = buildIdOf(buildProgram(PROGRAMS.cStripped));
  let dwzId: string;
  let sharedId: string;
  let debuginfod: DebuginfodServer;
  const servers: SymbolServer[] = [];

  beforeAll(async () => {
    mkdirSync(published);
    const { debug } = splitDebug(whole, folder, 'shop');
    renameSync(debug, join(published, 'shop.debug'));
    copyFileSync(buildProgram(PROGRAMS.cStripped), join(published, 'stripped'));
    // Two programs whose debug information has a part in common.
    for (const name of ['one', 'two']) {
      const source = join(folder, 'program.c');
      execFileSync('cp', [join(import.meta.dirname, '../fixtures/late-symbols.c'), source]);
      execFileSync('gcc', [
        '-O1',
        '-g',
        `-DNAME_${name}`,
        `-Wl,--build-id`,
        source,
        '-o',
        join(published, name),
      ]);
    }
    execFileSync('gcc', ['-O2', '-g', join(folder, 'program.c'), '-o', join(published, 'two')]);
    const shared = join(published, 'shared.debug');
    execFileSync('dwz', ['-m', shared, '-M', 'shared.debug', join(published, 'one'), join(published, 'two')]);
    dwzId = buildIdOf(join(published, 'one'));
    sharedId = buildIdOf(shared);
    debuginfod = await DebuginfodServer.start(published, id);
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  afterAll(async () => {
    await debuginfod?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(options: Parameters<typeof startSymbolServer>[0] = {}): Promise<SymbolServer> {
    const server = await startSymbolServer({
      debuginfod: [`${debuginfod.url}/`],
      ...options,
      debuginfodLimits: { delayMs: 0, ...options?.debuginfodLimits },
    });
    servers.push(server);
    return server;
  }

  it('is asked once for what a query met without names', async () => {
    const server = await start();
    const before = debuginfod.requests.length;
    expect(await server.symbols.store.record(id)).toBeUndefined();
    const waiting = await server.client.status({});
    expect(waiting.binaries).toMatchObject([{ buildId: id, source: '', debuginfod: 'waiting' }]);
    await meet(server, id);
    expect(await server.symbols.store.record(id)).toMatchObject({
      source: 'dwarf',
      origin: debuginfod.url,
      fileName: 'shop.debug',
      problem: '',
    });
    const table = await server.symbols.store.table(id);
    expect(Array.from({ length: table?.size ?? 0 }, (_, index) => table?.name(index))).toContain(
      'local_function',
    );
    await meet(server, id);
    expect(debuginfod.requests.slice(before)).toEqual([`${id}/debuginfo`]);
    expect(await counts(server, 'found')).toBe(1);
    expect(await requests(server, 'found')).toBe(1);
    expect(await counterOf(server, 'fleetflame_symbols_debuginfod_bytes_total', {})).toBeGreaterThan(1000);
    // No agent need upload it.
    expect(await wantedOf(server.client, [id], SymbolQuality.DWARF)).toEqual([]);
  });

  it('gives agents time first, and improves what they found', async () => {
    const server = await start({ debuginfodLimits: { delayMs: 30_000 } });
    const before = debuginfod.requests.length;
    await meet(server, id);
    expect(debuginfod.requests).toHaveLength(before);
    expect(await wantedOf(server.client, [id], SymbolQuality.DYNSYM)).toEqual([id]);
    server.advance(30_000);
    await meet(server, id);
    expect(await server.symbols.store.record(id)).toMatchObject({ source: 'dwarf' });
  });

  it('gives what debug files share along with them', async () => {
    const server = await start();
    const link = readDebugAltLink(ElfFile.parse(bufferSource(readFileSync(join(published, 'one')))));
    expect(link?.buildId).toBe(sharedId);
    await meet(server, dwzId);
    expect(await server.symbols.store.record(dwzId)).toMatchObject({
      source: 'dwarf',
      missingSupplement: '',
    });
    expect(await server.symbols.store.record(sharedId)).toMatchObject({ source: 'supplementary' });
  });

  it('is asked for the executable when it has no debug file, and then not again for a day', async () => {
    const server = await start();
    const before = debuginfod.requests.length;
    await meet(server, strippedId);
    expect(await server.symbols.store.record(strippedId)).toMatchObject({ source: 'dynsym' });
    await meet(server, strippedId);
    expect(debuginfod.requests.slice(before)).toEqual([
      `${strippedId}/debuginfo`,
      `${strippedId}/executable`,
    ]);
  });

  it('is not asked again for what it does not have: a day, also by another server and after a restart', async () => {
    const first = await start();
    const before = debuginfod.requests.length;
    const asked = [`${UNKNOWN}/debuginfo`, `${UNKNOWN}/executable`];
    await meet(first, UNKNOWN);
    await meet(first, UNKNOWN);
    expect(debuginfod.requests.slice(before)).toEqual(asked);
    expect(await counts(first, 'not_found')).toBe(1);
    expect((await first.client.status({ buildIds: [UNKNOWN] })).binaries).toMatchObject([
      { debuginfod: 'not_found' },
    ]);
    const second = await start({ folder: first.folder });
    await meet(second, UNKNOWN);
    expect(debuginfod.requests.slice(before)).toEqual(asked);
    expect(await counts(second, 'known_miss')).toBe(1);
    second.advance(DAY + 1);
    await second.symbols.maintain();
    await meet(second, UNKNOWN);
    expect(debuginfod.requests.slice(before)).toEqual([...asked, ...asked]);
    // Another one may have it.
    const other = createServer((_request, response) => response.writeHead(404).end());
    const third = await start({ folder: first.folder, debuginfod: [debuginfod.url, await listen(other)] });
    await meet(third, UNKNOWN);
    expect(await counts(third, 'not_found')).toBe(1);
    other.closeAllConnections();
    other.close();
  });

  it('is told by a process that only answers queries, through the storage', async () => {
    const server = await start();
    const needs = new SymbolNeeds(directoryStorage(server.folder), pino({ enabled: false }));
    needs.say(id, undefined);
    needs.say('not a build id', undefined);
    await needs.settled();
    await server.symbols.maintain();
    server.symbols.debuginfod?.work();
    await server.symbols.debuginfod?.settled();
    expect(await server.symbols.store.peek(id)).toMatchObject({ source: 'dwarf' });
    expect(await needs.take(10)).toEqual([]);
  });

  it('is not asked about ids that are none, or that agents made up', async () => {
    const server = await start();
    for (const made of ['', '../../etc/passwd', `68746c${'0'.repeat(32)}`]) await meet(server, made);
    expect(server.symbols.debuginfod?.buildIds()).toEqual([]);
  });

  it('may have files that are too large', async () => {
    const server = await start({ limits: { uploadBytes: 2000 } });
    await meet(server, id);
    expect(await requests(server, 'too_large')).toBeGreaterThan(0);
    expect(await server.symbols.store.record(id)).toBeUndefined();
  });

  it('that is dead has a pause, and agents do not notice', async () => {
    const gone = createServer();
    const url = await listen(gone);
    await new Promise((resolve) => gone.close(resolve));
    const server = await start({ debuginfod: [url] });
    await meet(server, id);
    expect(await counts(server, 'failed')).toBe(1);
    expect((await server.client.status({ buildIds: [id] })).binaries).toMatchObject([
      { debuginfod: 'failed' },
    ]);
    await meet(server, UNKNOWN);
    // The pause: one request for two binaries.
    expect(await requests(server, 'failed')).toBe(1);
    expect(await wantedOf(server.client, [id])).toEqual([id]);
  });

  it('that answers nothing is given up, and the next one is asked', async () => {
    const silent = createServer(() => undefined);
    const url = await listen(silent);
    const server = await start({ debuginfod: [url, debuginfod.url], debuginfodLimits: { idleMs: 300 } });
    await server.symbols.store.record(id);
    server.symbols.debuginfod?.work();
    // Meanwhile an agent asks and is answered.
    expect(await wantedOf(server.client, [id])).toEqual([id]);
    await server.symbols.debuginfod?.settled();
    expect(await server.symbols.store.record(id)).toMatchObject({ source: 'dwarf', origin: debuginfod.url });
    silent.closeAllConnections();
    silent.close();
  });

  it.each([
    ['something else', () => Buffer.from('<html>sorry</html>')],
    ['another binary', () => readFileSync(buildProgram(PROGRAMS.cpp))],
    ['half a binary', () => readFileSync(whole).subarray(0, 3000)],
    ['the stripped binary', () => readFileSync(join(folder, 'shop'))],
  ])('that gives %s does not keep the next one from being asked', async (_what, body) => {
    const liar = createServer((_request, response) => response.end(body()));
    const server = await start({ debuginfod: [await listen(liar), debuginfod.url] });
    await meet(server, id);
    expect(await requests(server, 'found')).toBe(2);
    expect(await server.symbols.store.record(id)).toMatchObject({ source: 'dwarf', origin: debuginfod.url });
    liar.closeAllConnections();
    liar.close();
  });
});

it('up --debuginfod takes URLs only', async () => {
  const data = mkdtempSync(join(tmpdir(), 'fleetflame-debuginfod-up-'));
  const answer = await runCli(
    'up',
    '--no-agent',
    '--listen',
    '127.0.0.1:0',
    '--data',
    data,
    '--debuginfod',
    'nonsense',
  );
  rmSync(data, { recursive: true, force: true });
  expect(answer.code).toBe(78);
  expect(answer.stderr).toMatch(/debuginfod: "nonsense" is not an http/);
});
