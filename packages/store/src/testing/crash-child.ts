/**
 * A process that writes and compacts as fast as it can until it is killed; crash.test.ts runs it.
 *
 *   node crash-child.ts DIR AGENT_ID CLOCK_MS     prints "try SEQ" before and "ack SEQ" after each commit
 */
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Store } from '../store.ts';
import { batchBlock } from './test-blocks.ts';

/** A minute passes in 120 ms, so that every round of maintenance has something to merge and remove. */
const SPEED = 500;
const WRITERS = 4;

const [dataDir = '', agentId = '', clock = ''] = process.argv.slice(2);
const startedMs = performance.now();
const now = (): number => Math.floor(Number(clock) + (performance.now() - startedMs) * SPEED);
const store = await Store.open({
  dataDir,
  retentionMs: 30 * 86_400_000,
  log: pino({ level: 'silent' }),
  registry: new Registry(),
  now,
});

let next = 0;
async function write(): Promise<void> {
  for (;;) {
    const seq = next++;
    writeSync(1, `try ${seq}\n`);
    const result = await store.commitSegment({
      block: batchBlock(`${agentId}/${seq}`, now() - 10_000),
      batches: [{ agentId, seq: BigInt(seq) }],
    });
    if (!result.committed) throw new Error(`batch ${seq} is new, but was committed before`);
    writeSync(1, `ack ${seq}\n`);
  }
}

async function maintain(): Promise<void> {
  for (;;) {
    await store.maintain();
    // A round without work is all microtasks: without a pause it would starve the writers' I/O.
    await setTimeout(2);
  }
}

writeSync(1, 'ready\n');
await Promise.all([maintain(), ...Array.from({ length: WRITERS }, write)]);
