import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockBuilder, decodeBlock } from '@fleetflame/profile';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { BatchWriter } from './batch-writer.ts';
import { Losses } from './losses.ts';
import { AgentIdentity } from './send/agent-identity.ts';
import { Spool } from './spool/spool.ts';

const log = pino({ enabled: false });

/** A window of so many samples. */
function windowOf(samples: number) {
  const builder = new BlockBuilder();
  const series = builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 10, {});
  builder.add(series, 0, Date.UTC(2026, 10, 22), samples * 10);
  return {
    samples,
    shortened: () => new Map<`stack_${string}`, number>(),
    loss: (cause: string, lost: number) => builder.loss(cause, lost),
    build: () => builder.build(),
  };
}

test('what a dropped batch had to tell of losses is told by a later one', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fleetflame-writer-'));
  const spool = await Spool.open(directory, { maxBytes: 10_000, log });
  const losses = new Losses();
  const writer = new BatchWriter({
    spool,
    identity: new AgentIdentity('a'),
    losses,
    log,
    onSpooled: () => undefined,
  });
  let taken = 0;
  let ringFull = 0;
  for (let window = 1; window <= 40; window++) {
    ringFull += window;
    losses.set('ring_full', ringFull);
    losses.set('spool_full', spool.counters.droppedSamples);
    taken += 100;
    writer.write(windowOf(100));
    await writer.settled();
  }
  expect(spool.counters.dropped).toBeGreaterThan(20);
  let kept = 0;
  let told = 0;
  for (let next = spool.next(); next !== undefined; next = spool.next()) {
    const contents = await spool.read(next);
    const block = decodeBlock(contents?.payload ?? new Uint8Array(0));
    for (const total of block.samples.total) kept += total / 10;
    for (const lost of block.losses.values()) told += lost;
    await spool.delete(next);
  }
  // All that was ever taken or lost is in a block that is left, or told of there, or waits to be told.
  losses.set('spool_full', spool.counters.droppedSamples);
  let untold = 0;
  for (const lost of losses.take().values()) untold += lost;
  expect(kept + told + untold).toBe(taken + ringFull);
  rmSync(directory, { recursive: true });
});
