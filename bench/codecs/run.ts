/**
 * How fast pprof files become blocks and blocks become pprof files: ./fleetflame bench codecs
 * Prints a Markdown table; README.md has the method and results.
 */
import { cpuUsage } from 'node:process';
import { gunzipSync } from 'node:zlib';
import { BlockBuilder, decodeFolded, decodePprof, encodeFolded, encodePprof } from '@fleetflame/profile';
import type { Block } from '@fleetflame/profile';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const TIME_MS = 1_700_000_000_000;
const ROUNDS = 7;

/** The same sequence on every machine. */
function randomSource(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

/**
 * A service: every sample leaves the path of an earlier one somewhere and goes on for up to five
 * frames, so that there are about three stack rows per sample and stacks of about 25 frames, as in
 * profiles of Go services. Every tenth function has an inlined call; samples carry a route.
 */
function service(samples: number, functions: number): Block {
  const random = randomSource(42);
  const builder = new BlockBuilder();
  const mapping = builder.mapping(builder.string('/usr/bin/api'), builder.string('ab'.repeat(20)), 'native');
  const rows = Array.from({ length: functions }, (_, row) => {
    const name = builder.string(
      `example.com/project/internal/package${row % 97}.(*Type${row % 13}).Method${row}`,
    );
    const file = builder.string(`/build/internal/package${row % 97}/file${row % 7}.go`);
    return builder.function(name, name, file, row % 900);
  });
  const location = (fn: number, site: number): number => {
    const lines = fn % 10 === 0 ? [rows[(fn + 1) % functions]!, 7] : [];
    return builder.location(mapping, 0x40_0000 + fn * 256 + site * 8, 0, [...lines, rows[fn]!, 10 + site]);
  };
  const series = Array.from({ length: 20 }, (_, route) =>
    builder.series(CPU, 10_000_000, { service_name: 'api', route: `/api/v1/${route}` }),
  );
  const paths: { stack: number; depth: number }[] = [{ stack: 0, depth: 0 }];
  for (let sample = 0; sample < samples; sample++) {
    let { stack, depth } = paths[random(paths.length)]!;
    const end = depth < 15 ? depth + 5 : depth + 1 + random(5);
    while (depth < end && depth < 45) {
      stack = builder.stack(stack, location(random(functions), random(4)));
      paths.push({ stack, depth: ++depth });
    }
    builder.add(series[random(20)]!, stack, TIME_MS, 10_000_000 * (1 + random(3)));
  }
  return builder.build();
}

/** CPU seconds of the process, the least of a few rounds after one to warm up: other load does not count. */
function measure(work: () => unknown): number {
  work();
  const times = Array.from({ length: ROUNDS }, () => {
    const start = cpuUsage();
    work();
    const { user, system } = cpuUsage(start);
    return (user + system) / 1e6;
  });
  return Math.min(...times);
}

function report(name: string, block: Block): void {
  const file = encodePprof(block, { profileType: CPU });
  const plain = Uint8Array.from(gunzipSync(file));
  const text = encodeFolded(block, { profileType: CPU });
  const samples = block.samples.length;
  const row = (what: string, bytes: number, seconds: number): void => {
    const rate = `${(bytes / 1e6 / seconds).toFixed(0)} MB/s`;
    const sampleRate = `${(samples / 1e6 / seconds).toFixed(2)} M`;
    console.log(
      `| ${name} | ${what} | ${(bytes / 1e6).toFixed(1)} | ${(seconds * 1000).toFixed(0)} | ${rate} | ${sampleRate} |`,
    );
  };
  row(
    'decode pprof',
    plain.length,
    measure(() => decodePprof(plain)),
  );
  row(
    'decode pprof, gzip',
    plain.length,
    measure(() => decodePprof(file)),
  );
  row(
    'encode pprof',
    plain.length,
    measure(() => encodePprof(block, { profileType: CPU, compress: false })),
  );
  row(
    'encode pprof, gzip',
    plain.length,
    measure(() => encodePprof(block, { profileType: CPU })),
  );
  row(
    'decode folded',
    text.length,
    measure(() => decodeFolded(text, { profileType: CPU, timeMs: TIME_MS })),
  );
  row(
    'encode folded',
    text.length,
    measure(() => encodeFolded(block, { profileType: CPU })),
  );
}

const block = service(10_000, 5_000);
console.log(`10,000 samples: ${block.stacks.length} stacks, ${block.locations.length} locations\n`);
console.log('| profile | operation | MB (inflated) | CPU ms | rate | samples/s |');
console.log('|---|---|---:|---:|---:|---:|');
report('10,000 samples', block);
report('50,000 samples', service(50_000, 20_000));
