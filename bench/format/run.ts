/** `./fleetflame bench format [--hosts 10] [--minutes 60] [--captured DIR] [--varied]`; see README.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  bytesSource,
  decodeBlock,
  encodeBlock,
  measureTables,
  mergeBlocks,
  readFooter,
  type Block,
} from '@fleetflame/profile';
import { capture } from '../day/capture.ts';
import { batchAt } from '../day/day-batches.ts';
import { readCaptured } from '../fleet/captured-batches.ts';
import { SimulatedFleet } from '../fleet/simulated-fleet.ts';
import { describeMachine } from '../overhead/machine.ts';
import { tryEncodings } from './encodings.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '10' },
    minutes: { type: 'string', default: '60' },
    captured: { type: 'string' },
    seconds: { type: 'string', default: '150' },
    /** Batches that differ in rows, leaves and JIT addresses, not the captured ones again and again. */
    varied: { type: 'boolean', default: false },
  },
});
const WINDOW_MS = 10_000;
const WINDOWS_PER_MINUTE = 6;
const START_MS = Date.UTC(2026, 10, 22, 10);
/** A host at a time of its own sees other variants. */
const HOST_STEP_MS = 1e9;

const scratch = await mkdtemp(join(tmpdir(), 'fleetflame-bench-'));
try {
  const directory = values.captured ?? join(scratch, 'captured');
  if (values.captured === undefined) await capture(directory, Number(values.seconds));
  const { minute, all, samples } = build(await readCaptured(directory, 64));
  console.log(describeMachine());
  console.log(`${values.hosts} hosts, ${values.minutes} minutes, ${samples.toLocaleString('en')} samples`);
  await report('a segment of all hosts, 10 s', minute.first, minute.firstSamples, 2048);
  await report('a minute', minute.block, minute.samples, 64);
  await report(`${values.minutes} minutes`, all, samples, 64);
  tryEncodings('a minute', minute.block, minute.samples);
  tryEncodings(`${values.minutes} minutes`, all, samples);
} finally {
  await rm(scratch, { recursive: true, force: true });
}

function build(captured: readonly Block[]) {
  const shape = {
    seed: 1,
    hosts: Number(values.hosts),
    roles: 3,
    windowMs: WINDOW_MS,
    skewMs: 2000,
    restarts: 0,
  };
  const fleet = new SimulatedFleet(captured, shape);
  const minutes: Block[] = [];
  let first: Block | undefined;
  let firstSamples = 0;
  let minuteSamples = 0;
  let samples = 0;
  for (let minute = 0; minute < Number(values.minutes); minute++) {
    const blocks: Block[] = [];
    for (let window = 0; window < WINDOWS_PER_MINUTE; window++) {
      const startMs = START_MS + (minute * WINDOWS_PER_MINUTE + window) * WINDOW_MS;
      for (let host = 0; host < shape.hosts; host++) {
        const varied = values.varied
          ? new SimulatedFleet(
              [batchAt(captured, startMs + host * HOST_STEP_MS, { kept: 0.6, jitHours: 1 })],
              shape,
            )
          : fleet;
        const batch = varied.batch(host, 0, startMs);
        samples += batch.samples;
        blocks.push(decodeBlock(batch.block));
      }
      if (first === undefined) {
        first = mergeBlocks(blocks);
        firstSamples = samples;
      }
    }
    if (minute === 0) minuteSamples = samples;
    minutes.push(mergeBlocks(blocks));
  }
  const [block] = minutes;
  if (block === undefined || first === undefined) throw new Error('--minutes is at least 1');
  return {
    minute: { block, samples: minuteSamples, first, firstSamples },
    all: mergeBlocks(minutes),
    samples,
  };
}

async function report(name: string, block: Block, samples: number, rawBelowBytes: number): Promise<void> {
  const bytes = encodeBlock(block, { rawBelowBytes });
  const source = bytesSource(bytes);
  const tables = await measureTables(source, await readFooter(source));
  const parts = tables.map(({ table, storedBytes }) => `${table} ${(storedBytes / samples).toFixed(3)}`);
  console.log(
    `${name}: ${(bytes.length / samples).toFixed(2)} bytes per sample (${parts.join(', ')}); ` +
      `${block.samples.length} rows, ${block.samples.time.length} points, ${block.stacks.length} stacks`,
  );
}
