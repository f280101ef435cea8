/** What a sample costs on disk, from segments to minutes to hours, and what merging costs. */
import type { Block } from '@fleetflame/profile';
import { mergeBlocks } from '@fleetflame/profile';
import { Store } from '@fleetflame/store';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { SHAPE, SyntheticFleet } from './synthetic-fleet.ts';

export interface LevelResult {
  readonly level: number;
  readonly blocks: number;
  readonly bytes: number;
  readonly rows: number;
  readonly bytesPerSample: number;
  readonly mergeSeconds: number;
}

const MINUTE_MS = 60_000;

/** `hosts` hosts for `minutes` minutes, their batches spread over the seconds of each window. */
export async function measureLevels(
  dataDir: string,
  options: { readonly hosts: number; readonly minutes: number; readonly seed: number },
): Promise<LevelResult[]> {
  const { hosts, minutes, seed } = options;
  const fleet = new SyntheticFleet(seed);
  let nowMs = Date.UTC(2026, 10, 22, 10);
  const startMs = nowMs;
  const log = pino({ level: 'warn' }, pino.destination(2));
  const registry = new Registry();
  const store = await Store.open({ dataDir, retentionMs: 7 * 86_400_000, log, registry, now: () => nowMs });
  const windowSeconds = SHAPE.windowMs / 1000;
  const segments = (minutes * MINUTE_MS) / 1000;
  for (let second = 0; second < segments; second++) {
    nowMs = startMs + (second + 1) * 1000;
    const blocks: Block[] = [];
    for (let host = second % windowSeconds; host < hosts; host += windowSeconds) {
      blocks.push(fleet.batch(host, Math.max(startMs, nowMs - SHAPE.windowMs)));
    }
    if (blocks.length === 0) continue;
    await store.commitSegment({
      block: mergeBlocks(blocks),
      batches: [{ agentId: 'bench', seq: BigInt(second) }],
    });
  }
  const samples = (segments / windowSeconds) * hosts * fleet.samplesPerBatch;
  const results: LevelResult[] = [];
  for (const waitMs of [0, 2 * MINUTE_MS, 70 * MINUTE_MS]) {
    nowMs = waitMs === 0 ? nowMs : startMs + minutes * MINUTE_MS + waitMs;
    const started = performance.now();
    if (waitMs > 0) await store.maintain();
    const mergeSeconds = waitMs > 0 ? (performance.now() - started) / 1000 : 0;
    for (const { level, blocks, bytes, rows } of (await store.status()).levels) {
      results.push({ level, blocks, bytes, rows, bytesPerSample: bytes / samples, mergeSeconds });
    }
  }
  await store.close();
  return results;
}
