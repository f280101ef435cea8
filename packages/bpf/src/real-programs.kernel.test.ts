import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { Load, sampleUntil } from './testing/load.ts';
import { SCRIPTS } from './testing/scripts.ts';
import { countEnds, describeEnds } from './testing/stack-ends.ts';

const TIMEOUT_MS = 120_000;
/** Some seconds of work for a checker of types. */
const TYPES = `type Tuple<N extends number, T extends unknown[] = []> = T['length'] extends N ? T : Tuple<N, [...T, N]>;
${Array.from({ length: 700 }, (_, i) => `export const a${i}: Tuple<${i % 900}>['length'] = ${i % 900};`).join('\n')}
`;
const ENOUGH = 100;

interface Program {
  readonly file: string;
  readonly args: readonly string[];
  /** Of the samples that have a user stack and were taken with tables in place. */
  readonly share: number;
}

let directory = '';
let programs: Record<string, Program> = {};
const load = new Load();

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-real-`);
  const input = `${directory}/input`;
  writeFileSync(input, Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * i) >> 7)));
  // All of a native program is described; JavaScript engines have code that nothing describes.
  programs = {
    python3: { file: '/usr/bin/python3', args: ['-c', SCRIPTS.python], share: 0.999 },
    perl: { file: '/usr/bin/perl', args: ['-e', SCRIPTS.perl], share: 0.999 },
    openssl: { file: '/usr/bin/openssl', args: ['speed', '-seconds', '30', 'ecdsap256'], share: 0.999 },
    gzip: {
      file: '/bin/sh',
      args: ['-c', `while cat ${input}; do :; done | exec gzip -9 > /dev/null`],
      share: 0.999,
    },
    zstd: { file: '/usr/bin/zstd', args: ['-b9', '-i60', input], share: 0.999 },
    sqlite3: { file: '/usr/bin/sqlite3', args: [':memory:', SCRIPTS.sql], share: 0.999 },
    node: { file: process.execPath, args: ['-e', SCRIPTS.node], share: 0.98 },
    go: { file: `${directory}/busy`, args: [], share: 0.999 },
    'go, stripped': { file: `${directory}/busy-stripped`, args: [], share: 0.999 },
    'go, stripped, position-independent': { file: `${directory}/busy-pie`, args: [], share: 0.999 },
    'go, stripped, linked by C': { file: `${directory}/busy-linked`, args: [], share: 0.999 },
  };
  const source = fileURLToPath(new URL('testing/programs/busy.go', import.meta.url));
  for (const [name, ...options] of [
    ['busy'],
    ['busy-stripped', '-ldflags=-s -w'],
    ['busy-pie', '-buildmode=pie', '-ldflags=-s -w'],
    ['busy-linked', '-ldflags=-linkmode=external -s -w'],
  ]) {
    execFileSync('go', ['build', ...options, '-o', `${directory}/${name}`, source], { stdio: 'inherit' });
  }
  // Shipped, stripped, and of a Go since 1.26 wherever this runs: what types are checked with.
  const compiler = createRequire(import.meta.resolve('typescript/package.json'));
  const platform = `${process.platform}-${process.arch}`;
  const tsc = join(dirname(compiler.resolve(`@typescript/typescript-${platform}/package.json`)), 'lib/tsc');
  const types = `${directory}/types.ts`;
  writeFileSync(types, TYPES);
  const once = `${tsc} --ignoreConfig --noEmit --strict ${types}`;
  programs['tsc'] = { file: '/bin/sh', args: ['-c', `while :; do ${once} > /dev/null; done`], share: 0.99 };
}, TIMEOUT_MS);

afterAll(() => {
  load.end();
  rmSync(directory, { recursive: true });
});

it('unwinds real programs to their outermost frame', { timeout: TIMEOUT_MS }, async () => {
  const pids = new Map<string, number>();
  for (const [name, { file, args }] of Object.entries(programs)) {
    if (existsSync(file)) pids.set(name, load.start(file, ...args));
  }
  const { recording, stats } = await sampleUntil(
    { frequencyHz: 199 },
    (soFar) => [...pids.values()].every((pid) => countEnds(soFar.family(pid)).samples > ENOUGH),
    TIMEOUT_MS,
  );
  load.end();
  const counts = [...pids].map(([name, pid]) => [name, countEnds(recording.family(pid))] as const);
  process.stdout.write(
    [
      ...counts.map(([name, count]) => describeEnds(name, count)),
      `${stats.tables} tables, ${stats.tableRows} rows, ${(stats.tableBytes / 2 ** 20).toFixed(1)} MiB, built in ${(stats.tableCpuNs / 1e6).toFixed(0)} ms of CPU; not here: ${Object.keys(
        programs,
      )
        .filter((name) => !pids.has(name))
        .join(' ')}`,
    ]
      .join('\n')
      .concat('\n'),
  );
  for (const [name, { complete, samples }] of counts) {
    expect(complete / samples, name).toBeGreaterThanOrEqual(programs[name]?.share ?? 1);
  }
});
