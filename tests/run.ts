/**
 * Runs every check and every test of the checkout, in the order in which a failure is cheapest to
 * find, and ends with `N passed, N failed`. `./fleetflame test` sets up what it needs.
 *
 *   ./fleetflame test            all of it
 *   ./fleetflame test unit       one part: checks, unit, browser, kernel or system
 *   ./fleetflame test long       hours of random input, kills and faults: every test file that scales (packages/testing)
 *   ./fleetflame test faults --schedules 100 --seed 1     fault schedules alone (tests/src/faults)
 *
 * Prints the seed of everything random; FLEETFLAME_SEED repeats it, FLEETFLAME_LONG=2 is twice as long.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Count {
  passed: number;
  failed: number;
}

/** Each is a command that succeeds or fails. */
const CHECKS: readonly (readonly [name: string, ...command: string[]])[] = [
  ['types', 'tsc', '-b'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['format', 'oxfmt', '--check'],
  ['wire messages lint', 'sh', '-c', 'cd packages/proto && node_modules/.bin/buf lint'],
  [
    'generated code is current',
    'sh',
    '-c',
    'cd packages/proto && out=$(mktemp -d) && PATH=$PWD/node_modules/.bin:$PATH buf generate -o "$out" && diff -r gen "$out/gen" && rm -r "$out"',
  ],
];

/** Vitest projects that may share the machine, then those that need it for themselves. */
const SUITES: Readonly<Record<string, readonly string[]>> = {
  unit: ['unit'],
  browser: ['browser'],
  kernel: ['kernel'],
  system: ['system'],
};

/** What the long task runs; browsers have nothing that scales. */
const LONG_SUITES = ['unit', 'kernel', 'system'] as const;
const MAX_SEED = 2 ** 31;
/** Files whose time is told after each suite. */
const SLOWEST = 8;

async function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = '', ...rest] = command;
  return await new Promise((resolve, reject) => {
    const child = spawn(program, rest, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function runChecks(count: Count): Promise<void> {
  for (const [name, ...command] of CHECKS) {
    const started = performance.now();
    const ok = (await run(command, env)) === 0;
    if (ok) count.passed++;
    else count.failed++;
    console.log(`${ok ? 'ok' : 'FAILED'}  ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  }
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    /** Milliseconds of the epoch. */
    readonly startTime: number;
    readonly endTime: number;
    readonly status: string;
    readonly assertionResults: readonly unknown[];
  }[];
}

async function runSuite(projects: readonly string[], count: Count, scratch: string): Promise<void> {
  const report = join(scratch, `${projects.join('-')}.json`);
  const status = await run(
    [
      'vitest',
      'run',
      ...projects.flatMap((project) => ['--project', project]),
      long ? '--reporter=verbose' : '--reporter=dot',
      // Of the long task some projects have no file that scales.
      ...(long ? ['--passWithNoTests'] : []),
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    env,
  );
  let result: VitestReport | undefined;
  try {
    // What vitest writes; its fields are checked below.
    result = JSON.parse(await readFile(report, 'utf8')) as VitestReport;
  } catch {
    console.log(`FAILED  ${projects.join(', ')}: the runner left no report`);
  }
  const passed = result?.numPassedTests ?? 0;
  // A file that does not load fails without a failed test in it.
  const broken =
    result?.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
      .length ?? 0;
  const failed = (result?.numFailedTests ?? 0) + broken;
  count.passed += passed;
  count.failed += status !== 0 && failed === 0 ? 1 : failed;
  if (passed + failed === 0 && !long) count.failed++;
  const slowest = (result?.testResults ?? [])
    .map(({ name, startTime, endTime }) => ({ name: relative(ROOT, name), s: (endTime - startTime) / 1000 }))
    .sort((a, b) => b.s - a.s)
    .slice(0, SLOWEST);
  console.log(`slowest: ${slowest.map(({ name, s }) => `${name} ${s.toFixed(0)} s`).join(', ')}`);
  console.log(
    `${status === 0 ? 'ok' : 'FAILED'}  ${projects.join(', ')}: ${passed} passed, ${failed} failed`,
  );
}

const wanted = process.argv.slice(2);
if (wanted[0] === 'faults') {
  process.exit(await run([process.execPath, 'tests/src/faults/run.ts', ...wanted.slice(1)], process.env));
}
const long = wanted.includes('long');
const seed = process.env['FLEETFLAME_SEED'] ?? String(randomInt(MAX_SEED));
const env: NodeJS.ProcessEnv = { ...process.env, FLEETFLAME_SEED: seed };
if (long) env['FLEETFLAME_LONG'] ??= '1';
const known = ['checks', ...Object.keys(SUITES), 'long'];
const strange = wanted.filter((part) => !known.includes(part));
if (strange.length > 0) {
  console.error(`there is no part ${strange.join(', ')}: choose from ${known.join(', ')}`);
  process.exit(2);
}
// `test long unit`: the long form of one part.
const parts = wanted.filter((part) => part !== 'long');
const all: readonly string[] = long ? LONG_SUITES : known;
const chosen = (part: string): boolean => (parts.length === 0 ? all : parts).includes(part);
console.log(
  `seed of everything random: FLEETFLAME_SEED=${seed}${long ? ` FLEETFLAME_LONG=${env['FLEETFLAME_LONG']}` : ''}`,
);
const count: Count = { passed: 0, failed: 0 };
const scratch = await mkdtemp(join(tmpdir(), 'fleetflame-test-'));
if (chosen('checks')) await runChecks(count);
for (const [name, projects] of Object.entries(SUITES)) {
  if (chosen(name)) await runSuite(projects, count, scratch);
}
await rm(scratch, { recursive: true });
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed === 0 ? 0 : 1;
