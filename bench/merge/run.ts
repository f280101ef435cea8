/**
 * How fast blocks merge, are written and are read. README.md has the method.
 *
 *   node bench/merge/run.ts [--json]
 */
import { BlockBuilder, decodeBlock, encodeBlock, mergeBlocks, type Block } from '@fleetflame/profile';

const HOSTS = 40;
const PROCESSES = 12;
const STACKS_PER_PROCESS = 400;
const STACK_DEPTH = 24;
const WINDOW_SECONDS = 10;
const REPEATS = 5;

/** Small and seeded: the same blocks in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Ten seconds of one host. Hosts run the same services: most of their stacks are equal, labels are not. */
function hostBlock(host: number): Block {
  const next = random(host + 1);
  const builder = new BlockBuilder();
  for (let process = 0; process < PROCESSES; process++) {
    const series = builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 52_631_578, {
      service_name: `service-${process}`,
      host_name: `host-${host}`,
      process_executable_name: `service-${process}`,
    });
    const binary = builder.string(`/opt/service-${process}/bin/server`);
    const mapping = builder.mapping(binary, builder.string(`b1d${process}`), 'native');
    // One tree per service, the same on every host; a host sees most of it.
    const tree = random(1000 + process);
    // Neighbouring stacks leave each other in the upper half of their frames, so six are new.
    const path = [0];
    for (let i = 0; i < STACKS_PER_PROCESS; i++) {
      path.length = Math.max(1, Math.min(path.length, STACK_DEPTH - Math.floor(tree() * 12)));
      while (path.length <= STACK_DEPTH) {
        const address = 64 * (path.length * 997 + Math.floor(tree() * 40));
        path.push(builder.stack(path.at(-1)!, builder.location(mapping, address, 0, [])));
      }
      const stack = path.at(-1)!;
      if (next() < 0.2) continue;
      const points = next() < 0.3 ? 1 + Math.floor(next() * WINDOW_SECONDS) : 1;
      for (let k = 0; k < points; k++) {
        const second = Math.floor(next() * WINDOW_SECONDS);
        builder.add(
          series,
          stack,
          1_700_000_000_000 + second * 1000,
          52_631_578 * (1 + Math.floor(next() * 3)),
        );
      }
    }
  }
  return builder.build();
}

/** CPU seconds of this thread, so that other load on the machine does not count; the best of a few. */
function best(run: () => void): number {
  let fastest = Infinity;
  for (let i = 0; i < REPEATS; i++) {
    const start = process.threadCpuUsage();
    run();
    const used = process.threadCpuUsage(start);
    fastest = Math.min(fastest, used.user + used.system);
  }
  return fastest / 1e6;
}

const blocks = Array.from({ length: HOSTS }, (_, host) => hostBlock(host));
const rows = blocks.reduce((sum, block) => sum + block.samples.length, 0);
const points = blocks.reduce((sum, block) => sum + block.samples.time.length, 0);
const merged = mergeBlocks(blocks);
// The same hosts six windows later: what compaction merges.
const minute = Array.from({ length: 6 }, (_, i) => ({
  ...merged,
  timeStartMs: merged.timeStartMs + i * 10_000,
  timeEndMs: merged.timeEndMs + i * 10_000,
}));
const small = encodeBlock(blocks[0]!);
const large = encodeBlock(mergeBlocks(minute));

const mergeHosts = best(() => mergeBlocks(blocks));
const mergeMinute = best(() => mergeBlocks(minute));
const encodeSmall = best(() => encodeBlock(blocks[0]!));
const decodeSmall = best(() => decodeBlock(small));
const largeBlock = decodeBlock(large);
const encodeLarge = best(() => encodeBlock(largeBlock));
const decodeLarge = best(() => decodeBlock(large));

const million = (count: number, seconds: number): number => Number((count / seconds / 1e6).toFixed(2));
const results = {
  rows,
  points,
  mergeHostsRowsPerSecondMillions: million(rows, mergeHosts),
  mergeWindowsRowsPerSecondMillions: million(merged.samples.length * 6, mergeMinute),
  hostBlockRows: blocks[0]!.samples.length,
  hostBlockBytes: small.length,
  hostBlockEncodeMs: Number((encodeSmall * 1000).toFixed(2)),
  hostBlockDecodeMs: Number((decodeSmall * 1000).toFixed(2)),
  minuteRows: largeBlock.samples.length,
  minutePoints: largeBlock.samples.time.length,
  minuteBytesPerPoint: Number((large.length / largeBlock.samples.time.length).toFixed(2)),
  minuteEncodePointsPerSecondMillions: million(largeBlock.samples.time.length, encodeLarge),
  minuteDecodePointsPerSecondMillions: million(largeBlock.samples.time.length, decodeLarge),
};
if (process.argv.includes('--json')) console.log(JSON.stringify(results));
else console.table(results);
