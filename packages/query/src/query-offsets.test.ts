/**
 * A process whose profile maps only its code, of a binary that has its code at other addresses than offsets in the file: what is
 * counted from the mapping are offsets, which the binary's program headers make addresses of.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildIdsToSymbolize,
  decodeProfile,
  encodePprof,
  FlameBuilder,
  mergeBlocks,
  selectSeries,
  parseSelector,
  sumStacks,
  topFunctions,
  type Block,
} from '@fleetflame/profile';
import { describeBlock, rawPprof, TEST_PROFILE_TYPE } from '@fleetflame/profile/testing';
import { startSymbolServer, uploadFile, type SymbolServer } from '@fleetflame/symbols/testing';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadSymbols, QuerySymbols } from './symbol-source.ts';

const SOURCE = `
#include <stdio.h>
__attribute__((noinline)) int work(int n) { volatile int s = 0; for (int i = 0; i < n; i++) s += i; return s; }
__attribute__((noinline)) int other(int n) { return work(n) + 1; }
int main(void) {
  char line[4096];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) fputs(line, stdout);
  printf("work %p other %p\\n", (void *)work, (void *)other);
  return 0;
}
`;

/** Where code lies at other addresses than offsets: by the linker's way, or by order. */
const LINKERS: readonly (readonly [name: string, version: string, flags: readonly string[]])[] = [
  ['GNU ld, text placed by order', 'ld', ['-Wl,-Ttext=0x9000']],
  ['lld', 'ld.lld', ['-fuse-ld=lld']],
  ['mold', 'mold', ['-fuse-ld=mold']],
];

interface Sampled {
  /** Of the code's mapping, and of two functions in it. */
  readonly start: number;
  readonly limit: number;
  readonly offset: number;
  readonly functions: readonly number[];
}

let folder: string;
let server: SymbolServer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fleetflame-offsets-'));
  server = await startSymbolServer();
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function build(flags: readonly string[]): string {
  writeFileSync(join(folder, 'app.c'), SOURCE);
  const path = join(folder, 'app');
  execFileSync('gcc', [
    '-O1',
    '-g',
    '-pie',
    '-fPIE',
    '-Wl,--build-id',
    ...flags,
    join(folder, 'app.c'),
    '-o',
    path,
  ]);
  return path;
}

/** One run of the program: each has other addresses. */
function run(path: string): Sampled {
  const text = execFileSync(path, { encoding: 'utf8' });
  const functions = [...text.matchAll(/(?:work|other) 0x([0-9a-f]+)/g)].map(([, hex]) =>
    parseInt(hex ?? '', 16),
  );
  const code = [...text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) r-xp ([0-9a-f]+) .*\/app$/gm)]
    .map((found) => found.slice(1).map((hex) => parseInt(hex, 16)))
    .find(([start = 0, limit = 0]) => functions.every((address) => address >= start && address < limit));
  const [start = 0, limit = 0, offset = 0] = code ?? [];
  return { start, limit, offset, functions };
}

/** A profile that knows the mapping of the code alone. */
async function profileOf({ start, limit, offset, functions }: Sampled, buildId: string): Promise<Block> {
  const { bytes, int, rawProfile } = rawPprof;
  const strings = ['', 'cpu', 'nanoseconds', '/srv/app', buildId];
  const file = rawProfile({
    sample: functions.flatMap((_, i) => bytes(2, bytes(1, [i + 1]), bytes(2, [30 + i]))),
    mapping: bytes(3, int(1, 1), int(2, start), int(3, limit), int(4, offset), int(5, 3), int(6, 4)),
    // A few bytes into the function, as a sample has it.
    location: functions.flatMap((address, i) => bytes(4, int(1, i + 1), int(2, 1), int(3, address + 4))),
    function: [],
    strings: strings.flatMap((text) => bytes(6, text)),
  });
  return decodeProfile(file, { labels: { service_name: 'api' } }).block;
}

async function names(block: Block): Promise<string[]> {
  const log = pino({ level: 'silent' });
  const symbols = new QuerySymbols({
    symbols: (buildIds) => loadSymbols(server.symbols.store, buildIds, log),
  });
  const sums = sumStacks(block, { series: selectSeries(block, TEST_PROFILE_TYPE, parseSelector('')) }, []);
  await symbols.load(buildIdsToSymbolize(block, sums));
  const builder = new FlameBuilder({ groupBy: [] });
  builder.addBlock(block, sums, symbols.symbolize);
  return topFunctions(builder.tree, 10, builder.builds)
    .functions.map((fn) => `${fn.name} ${fn.self}`)
    .toSorted();
}

test.each(LINKERS)('%s: two processes are one, and have their names', async (name, linker, flags) => {
  let path: string;
  try {
    execFileSync(linker, ['--version'], { stdio: 'ignore' });
  } catch (error) {
    // The set-up of the tests installs lld; mold is tried where somebody has it.
    if (linker !== 'mold') throw error;
    return;
  }
  path = build(flags);
  const notes = execFileSync('readelf', ['-n', path], { encoding: 'utf8' });
  const buildId = /Build ID: ([0-9a-f]+)/.exec(notes)?.[1] ?? '';
  const runs = [run(path), run(path)];
  expect(runs[0]?.start).not.toBe(runs[1]?.start);
  const blocks = await Promise.all(runs.map((sampled) => profileOf(sampled, buildId)));
  const block = mergeBlocks(blocks);
  expect(block.samples.length, name).toBe(2);
  expect(await names(block)).toHaveLength(2);
  await uploadFile(server.client, { buildId, fileName: 'app', bytes: readFileSync(path) });
  // The layout is what the test is about.
  expect((await server.symbols.store.record(buildId))?.codeSegments?.length).toBeGreaterThan(0);
  const expected = ['other 62', 'work 60'];
  expect(await names(block)).toEqual(expected);
  // What is written as pprof and read again is the same.
  const again = decodeProfile(encodePprof(block, { profileType: TEST_PROFILE_TYPE })).block;
  expect(describeBlock(again).filter((line) => line.includes('+0x')).length).toBe(2);
  expect(await names(again)).toEqual(expected);
  // Debug information alone does not say where code lies: what the binary said stays.
  const debug = join(folder, 'app.debug');
  execFileSync('objcopy', ['--only-keep-debug', path, debug]);
  execFileSync('objcopy', ['--strip-debug', path]);
  await uploadFile(server.client, { buildId, fileName: 'app', bytes: readFileSync(debug), replace: true });
  expect(await names(block)).toEqual(expected);
});
