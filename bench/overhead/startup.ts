/**
 * What it costs to start when a program has every ELF file of this system mapped: all unwind tables made anew, and
 * with those of the run before on disk. CPU time of the sampler's threads, until the last table is in the kernel.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Sampler } from '@fleetflame/bpf';

import { systemBinaries } from '@fleetflame/bpf/system-binaries';
import { describeMachine } from './machine.ts';

const DIRECTORIES = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/jvm/java-17-openjdk-amd64/lib/server',
];
const BUDGET_BYTES = 256 << 20;
/** No table was finished for so long: the rest are none. */
const QUIET_MS = 12_000;
const MAP_ALL = fileURLToPath(new URL('../../packages/bpf/src/testing/programs/map-all.c', import.meta.url));

const directory = mkdtempSync(join(tmpdir(), 'fleetflame-startup-'));
const rows: string[] = [];
try {
  const mapAll = join(directory, 'map-all');
  execFileSync('gcc', ['-O1', '-fno-omit-frame-pointer', '-o', mapAll, MAP_ALL]);
  const binaries = systemBinaries(
    DIRECTORIES.filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined),
  );
  const tableCache = join(directory, 'cache');
  execFileSync('mkdir', [tableCache]);
  for (const run of ['none on disk', 'all on disk'])
    rows.push(
      await measure(
        run,
        mapAll,
        binaries.map(({ path }) => path),
        tableCache,
      ),
    );
} finally {
  rmSync(directory, { recursive: true });
}
const text = [
  `# Start with all system binaries in use\n\n${describeMachine()}. One program maps every ELF file of ${DIRECTORIES.join(', ')} executable.`,
  'CPU is that of the thread that makes tables (nice 10) and of the thread that drains; `until` is wall time with whatever else ran.\n',
  '| tables | files | tables in the kernel | rows | kernel MB | table thread CPU s | drain thread CPU s | until s | peak resident MB above start | disk MB |',
  '|---|---|---|---|---|---|---|---|---|---|',
  ...rows,
  '',
].join('\n');
writeFileSync(fileURLToPath(new URL('results-startup.md', import.meta.url)), text);
process.stdout.write(text);

async function measure(
  name: string,
  mapAll: string,
  paths: readonly string[],
  tableCache: string,
): Promise<string> {
  const child = spawn(mapAll, { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.end(paths.map((path) => `${path}\n`).join(''));
  const residentBefore = process.memoryUsage.rss();
  const startedMs = performance.now();
  const sampler = new Sampler({ frequencyHz: 19, tableBytes: BUDGET_BYTES, tableCache });
  let settledMs = startedMs;
  let built = 0;
  let peakBytes = 0;
  try {
    while (performance.now() - settledMs < QUIET_MS) {
      await delay(200);
      sampler.collect();
      peakBytes = Math.max(peakBytes, process.memoryUsage.rss() - residentBefore);
      const { tablesBuilt, tablesWithoutFrames } = sampler.stats();
      if (tablesBuilt + tablesWithoutFrames === built) continue;
      built = tablesBuilt + tablesWithoutFrames;
      settledMs = performance.now();
      process.stderr.write(`\r${name}: ${built} of ${paths.length}`);
    }
  } finally {
    child.kill('SIGKILL');
    sampler.close();
  }
  process.stderr.write('\n');
  const stats = sampler.stats();
  const disk = readdirSync(tableCache).reduce((sum, file) => sum + statSync(join(tableCache, file)).size, 0);
  return `| ${[
    name,
    paths.length,
    stats.tables,
    stats.tableRows,
    (stats.tableBytes / 1e6).toFixed(1),
    (stats.tableCpuNs / 1e9).toFixed(2),
    (stats.drainCpuNs / 1e9).toFixed(2),
    ((settledMs - startedMs) / 1000).toFixed(1),
    (peakBytes / 1e6).toFixed(0),
    (disk / 1e6).toFixed(1),
  ].join(' | ')} |`;
}
