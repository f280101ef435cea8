/**
 * Captures real batches of this host, as `run.ts` needs them: starts `fleetflame up` with its agent,
 * keeps the host busy with mixed work in bursts, and keeps every segment that ingest wrote (one agent
 * and windows of 10 s: a segment is a batch) and the symbols that were uploaded. Needs root.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bytesSource, readFooter } from '@fleetflame/profile';

const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const BURST_MS = 20_000;

/** Programs of different kinds; each burst runs some of them, so that batches differ. */
const LOADS: readonly (readonly [string, readonly string[]])[] = [
  [
    process.execPath,
    [
      '--perf-basic-prof',
      '-e',
      `const rows = Array.from({ length: 2000 }, (_, i) => ({ id: i, name: 'row ' + i, tags: ['a', 'b', String(i % 7)] }));
       for (;;) {
         const text = JSON.stringify(rows);
         const back = JSON.parse(text);
         back.sort((a, b) => b.tags[2].localeCompare(a.tags[2]) || a.id - b.id);
         require('zlib').gzipSync(text);
         require('crypto').createHash('sha256').update(text).digest();
         text.replace(/row (\\d+)/g, (_, n) => n * 2);
       }`,
    ],
  ],
  [
    'sh',
    [
      '-c',
      `while :; do echo '#include <regex>\n#include <map>\nstd::map<int, std::regex> m;' | g++ -O2 -x c++ -c -o /dev/null -; done`,
    ],
  ],
  ['dd', ['if=/dev/zero', 'of=/dev/null', 'bs=4k']],
  ['sh', ['-c', 'while :; do ls -R /usr/share > /dev/null; du -s /usr/lib > /dev/null; done']],
  [
    'python3',
    [
      '-c',
      'import json, re\nwhile True:\n  d = {str(i): [i] * 5 for i in range(3000)}\n  json.loads(json.dumps(d)); re.findall(r"\\d+", str(d)); sorted(d)',
    ],
  ],
];

/** Captures for so long into `directory`: `batches/` and `symbols/`. */
export async function capture(directory: string, seconds: number): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'fleetflame-capture-'));
  const up = spawn(
    process.execPath,
    [MAIN, 'up', '--data', data, '--listen', '127.0.0.1:0', '--window', '10s'],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const ended = new Promise((resolve) => up.once('exit', resolve));
  const until = Date.now() + seconds * 1000;
  for (let burst = 0; Date.now() < until; burst++) {
    const running = LOADS.filter(
      (_, i) => (burst + i) % 3 !== 0 && (burst * 7 + i) % 5 < 2 * availableParallelism(),
    );
    const children = running.map(([command, args]) =>
      spawn(command, [...args], { stdio: 'ignore', detached: true, cwd: tmpdir() }),
    );
    await setTimeout(Math.min(BURST_MS, Math.max(0, until - Date.now())));
    for (const child of children) endGroup(child);
  }
  up.kill('SIGTERM');
  await ended;
  await keep(join(data, 'objects'), directory);
  await rm(data, { recursive: true });
}

/** The child and what it has started. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function keep(objects: string, directory: string): Promise<void> {
  await mkdir(join(directory, 'batches'), { recursive: true });
  for (const name of (await readdir(join(objects, 'blocks'), { recursive: true })).sort()) {
    const file = join(objects, 'blocks', name);
    if (!(await stat(file)).isFile()) continue;
    const bytes = await readFile(file);
    const { timeEndMs, timeStartMs } = await readFooter(bytesSource(bytes));
    // Merged minutes are the same samples again; the last batch is shorter than a window.
    if (timeEndMs - timeStartMs > 12_000n || timeEndMs - timeStartMs < 8_000n) continue;
    await writeFile(join(directory, 'batches', basename(name)), bytes);
  }
  for (const name of await readdir(objects)) {
    if (name !== 'blocks')
      await cp(join(objects, name), join(directory, 'objects', name), { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await capture(process.argv[2] ?? 'captured', Number(process.argv[3] ?? 300));
}
