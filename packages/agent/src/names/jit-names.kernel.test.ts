import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeBlock } from '@fleetflame/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Agent, startAgent } from '../index.ts';
import { blockRows, type Row } from '../testing/block-rows.ts';
import { IngestServer } from '../testing/ingest-server.ts';

const PROGRAM = fileURLToPath(new URL('../testing/programs/jit.js', import.meta.url));
const ENOUGH_SAMPLES = 30;
const TIMEOUT_MS = 100_000;

let directory: string;
let agent: Agent;
const children: ChildProcess[] = [];
const ingest = new IngestServer();

/** A program in a PID and mount namespace of its own, where it is process 1. Inlined functions would have no frame. */
function runNested(service: string, script: string, flags: readonly string[]): void {
  const node = [
    join(directory, 'node'),
    ...flags,
    '--interpreted-frames-native-stack',
    '--no-maglev',
    '--no-turbo-inlining',
    join(directory, 'jit.js'),
  ];
  const child = spawn(
    'unshare',
    ['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script, 'sh', ...node],
    {
      stdio: 'ignore',
      env: { ...process.env, OTEL_SERVICE_NAME: service },
    },
  );
  children.push(child);
}

const rowsOf = (service: string): Row[] =>
  [...ingest.kept.values()]
    .flatMap((bytes) => blockRows(decodeBlock(bytes)))
    .filter(({ labels }) => labels['service_name'] === service);
const samplesOf = (rows: readonly Row[]): number =>
  rows.reduce((sum, { total }) => sum + total, 0) / (1e9 / 99);

beforeAll(async () => {
  // One program hides /tmp from itself, where the checkout may be.
  directory = mkdtempSync('/var/tmp/fleetflame-jit-');
  copyFileSync(process.execPath, join(directory, 'node'));
  copyFileSync(PROGRAM, join(directory, 'jit.js'));
  runNested('ff-own-tmp', 'mount -t tmpfs none /tmp && exec "$@"', ['--perf-basic-prof']);
  runNested('ff-dump-gone', `cd ${directory} && exec "$@"`, ['--perf-prof', '--perf-prof-delete-file']);
  agent = await startAgent({
    serverUrl: await ingest.listen(),
    frequencyHz: 99,
    windowMs: 2000,
    spoolDir: join(directory, 'spool'),
    log: pino({ level: 'error' }),
    registry: new Registry(),
  });
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await agent.stop();
  await ingest.close();
  rmSync(directory, { recursive: true });
});

test.each([
  ['ff-own-tmp', 'a perf map in a /tmp of its own'],
  ['ff-dump-gone', 'a jitdump that was deleted at once'],
])(
  '%s, with %s, has names in a PID namespace of its own',
  async (service) => {
    const hot = (): Row[] =>
      rowsOf(service).filter(({ frames }) => {
        const names = frames.map(({ name }) => name);
        return names.includes('hotLoop') && names.indexOf('busyWork') < names.indexOf('hotLoop');
      });
    await vi.waitFor(() => expect(samplesOf(hot())).toBeGreaterThan(ENOUGH_SAMPLES), {
      timeout: TIMEOUT_MS,
      interval: 1000,
    });
    const compiled = hot()
      .flatMap(({ frames }) => frames)
      .filter(({ name, file }) => name === 'hotLoop' && file === '[jit]');
    expect(compiled.length).toBeGreaterThan(0);
    expect(agent.stats().jit).toMatchObject({ malformed: 0, foreign: 0, unreadable: 0, overLimit: 0 });
  },
  TIMEOUT_MS,
);

test('bytes of both kinds of files were read, and the dump was found although it has no name any more', () => {
  const { bytesRead, dumpBytesRead } = agent.stats().jit;
  expect(bytesRead).toBeGreaterThan(0);
  expect(dumpBytesRead).toBeGreaterThan(0);
});
