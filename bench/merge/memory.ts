/**
 * Peak memory of one merge as compaction does it, in a process of its own:
 *
 *   ./fleetflame bench merge/memory [POINTS] [BLOCKS]      points of each block; default 1,000,000 and 4
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BlockBuilder, type Block } from '@fleetflame/profile';
import { Store } from '@fleetflame/store';
import { pino } from 'pino';
import { Registry } from 'prom-client';

const START = Date.UTC(2026, 10, 22);
const QUARTER_DAY_S = 6 * 3600;
const STACKS = 20_000;
const DEPTH = 20;

/** Points at random seconds of a quarter of a day: nothing for a compressor to find. */
function randomBlock(seed: number, points: number): Block {
  let state = seed;
  const next = (below: number): number =>
    ((state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8) % below;
  const builder = new BlockBuilder();
  const series = Array.from({ length: 50 }, (_, index) =>
    builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 52_631_578, {
      service_name: `service-${index % 20}`,
      host_name: `host-${index}`,
    }),
  );
  const mapping = builder.mapping(builder.string('/opt/app'), builder.string('b1d'), 'native');
  for (let row = 0; row < STACKS; row++) {
    let stack = 0;
    for (let depth = 0; depth < DEPTH; depth++) {
      const place = depth < 14 ? row % 50 : next(40) + row;
      stack = builder.stack(stack, builder.location(mapping, 64 * (depth * 977 + place), 0, []));
    }
    for (let point = 0; point < points / STACKS; point++) {
      const timeMs = START + (seed * QUARTER_DAY_S + next(QUARTER_DAY_S)) * 1000;
      builder.add(series[row % 50]!, stack, timeMs, 52_631_578 * (1 + next(3)));
    }
  }
  return builder.build();
}

async function openStore(dataDir: string, nowMs: number): Promise<Store> {
  const log = pino({ level: 'warn' }, pino.destination(2));
  return Store.open({
    dataDir,
    retentionMs: 30 * 86_400_000,
    log,
    registry: new Registry(),
    now: () => nowMs,
  });
}

/** Two days later all of it is one day. */
async function merge(dataDir: string): Promise<void> {
  const store = await openStore(dataDir, START + 60 * 3_600_000);
  const beforeMb = process.memoryUsage().rss / 2 ** 20;
  await store.maintain();
  const { levels } = await store.status();
  await store.close();
  const peakMb = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(
    `${JSON.stringify({ beforeMb: Math.round(beforeMb), peakMb: Math.round(peakMb), levels })}\n`,
  );
}

const [first = '1000000', second = '4'] = process.argv.slice(2);
if (first === 'merge') await merge(second);
else {
  const dataDir = mkdtempSync(join(tmpdir(), 'fleetflame-bench-'));
  const store = await openStore(dataDir, START);
  for (let block = 0; block < Number(second); block++) {
    const batches = [{ agentId: 'bench', seq: BigInt(block) }];
    await store.commitSegment({ block: randomBlock(block, Number(first)), batches });
  }
  const { levels } = await store.status();
  await store.close();
  process.stdout.write(`${JSON.stringify({ points: Number(first) * Number(second), levels })}\n`);
  spawnSync(process.execPath, [fileURLToPath(import.meta.url), 'merge', dataDir], { stdio: 'inherit' });
  rmSync(dataDir, { recursive: true });
}
