/**
 * How fast blocks merge, are written and are read. README.md has the method.
 *
 *   ./fleetflame bench merge [--json]
 */
import { decodeBlock, encodeBlock, mergeBlocks, type Block } from '@fleetflame/profile';

import { hostBlock } from './host-block.ts';

const HOSTS = 40;
/** Processes, and stacks of each: a quiet host, a busy one, one with many services. */
const AGENT_BATCHES = [
  [12, 25],
  [40, 125],
  [12, 400],
] as const;
const REPEATS = 5;
/** As the store writes compacted blocks. */
const COMPACTED = { rawBelowBytes: 64 };
/** Runs of a small block that one measurement spans: thread times count in whole microseconds. */
const SMALL_RUNS = 40;

/** CPU seconds of this thread, so that other load on the machine does not count; the best of a few. */
function best(run: () => void, runs = 1): number {
  let fastest = Infinity;
  for (let i = 0; i < REPEATS; i++) {
    const start = process.threadCpuUsage();
    for (let k = 0; k < runs; k++) run();
    const used = process.threadCpuUsage(start);
    fastest = Math.min(fastest, (used.user + used.system) / runs);
  }
  return fastest / 1e6;
}

const million = (count: number, seconds: number): number => Number((count / seconds / 1e6).toFixed(2));
const milliseconds = (seconds: number): number => Number((seconds * 1000).toFixed(2));

/** What one agent sends, and what ingest does with forty of them. */
function measureBatches(processes: number, stacks: number): Record<string, number> {
  const blocks = Array.from({ length: HOSTS }, (_, host) => hostBlock(host, processes, stacks));
  const block = blocks[0]!;
  const bytes = encodeBlock(block);
  const rows = blocks.reduce((sum, { samples }) => sum + samples.length, 0);
  const merge = best(() => mergeBlocks(blocks), stacks < 200 ? 4 : 1);
  return {
    datasets: processes,
    rows: block.samples.length,
    stackRows: block.stacks.length,
    bytes: bytes.length,
    encodeMs: milliseconds(best(() => encodeBlock(block), SMALL_RUNS)),
    decodeMs: milliseconds(best(() => decodeBlock(bytes), SMALL_RUNS)),
    mergeMsPerBlock: milliseconds(merge / HOSTS),
    mergeRowsPerSecondMillions: million(rows, merge),
  };
}

/** Six windows of all hosts, as compaction merges them: rows are equal, points are not. */
function measureMinute(): Record<string, number> {
  const window = mergeBlocks(Array.from({ length: HOSTS }, (_, host) => hostBlock(host, 12, 400)));
  const windows = Array.from({ length: 6 }, (_, i): Block => ({
    ...window,
    timeStartMs: window.timeStartMs + i * 10_000,
    timeEndMs: window.timeEndMs + i * 10_000,
  }));
  const merge = best(() => mergeBlocks(windows));
  const bytes = encodeBlock(mergeBlocks(windows), COMPACTED);
  const minute = decodeBlock(bytes);
  const points = minute.samples.time.length;
  return {
    rows: minute.samples.length,
    points,
    bytes: bytes.length,
    bytesPerPoint: Number((bytes.length / points).toFixed(3)),
    mergeRowsPerSecondMillions: million(window.samples.length * 6, merge),
    encodePointsPerSecondMillions: million(
      points,
      best(() => encodeBlock(minute, COMPACTED)),
    ),
    decodePointsPerSecondMillions: million(
      points,
      best(() => decodeBlock(bytes)),
    ),
  };
}

const results = {
  batches: AGENT_BATCHES.map(([processes, stacks]) => measureBatches(processes, stacks)),
  minute: measureMinute(),
};
if (process.argv.includes('--json')) {
  console.log(JSON.stringify(results));
} else {
  console.table(results.batches);
  console.table(results.minute);
}
