/** Marks what is past its time: old blocks become `deleted`, old batches are forgotten. */
import type { Catalog } from '../catalog/catalog.ts';
import type { StoreMetrics } from '../store-metrics.ts';
import type { ClockCheck } from './check-clocks.ts';
import { batchesClock, keepExpiryClock, readExpiryClock, type ExpiryClock } from './expiry-clock.ts';
import { STEADY_MS, type Due, type Governor } from './governor.ts';

/**
 * How long a batch's identity is kept (I2): an agent keeps a batch in its spool for a day, ingest takes
 * it for an hour more, and a sender's clock may be ten minutes ahead of the samples' arrival. A fleet of
 * 10,000 hosts commits 86 million of them a day, so it is not kept for as long as the data.
 */
export const REMEMBER_BATCHES_MS = 26 * 3_600_000;
export interface ExpirerOptions {
  readonly catalog: Catalog;
  readonly metrics: StoreMetrics;
  readonly governor: Governor;
  /** How long blocks are kept, by resolution; 0: raw. */
  readonly retentionMs: ReadonlyMap<number, number>;
  readonly rememberBatchesMs: number;
  /** A clock that nobody sets, ms since any moment. */
  readonly elapsedMs: () => number;
  readonly otherClocks: () => ClockCheck;
}

/** Expiry of a process: what is due goes when the governor allows it. */
export class Expirer {
  readonly #options: ExpirerOptions;
  #lastMs: number;

  constructor(options: ExpirerOptions) {
    this.#options = options;
    this.#lastMs = options.elapsedMs();
  }

  async run(nowMs: number): Promise<void> {
    const { catalog, governor, retentionMs, otherClocks, elapsedMs } = this.#options;
    const past = await readExpiryClock(catalog, retentionMs, nowMs);
    const { doubt, isConfirmed } = otherClocks();
    const due = await this.#due(cutsOf(retentionMs, nowMs));
    const steadyCuts = steadyCutsOf(past, retentionMs);
    // What is due beyond the steady is what the clock or the setting has jumped over.
    const steady = due.blocks === (await this.#due(lower(steadyCuts, due.cutsMs))).blocks;
    const reason = reasonOf(
      past,
      retentionMs,
      nowMs,
      (await catalog.liveSpan(undefined, Number.MAX_SAFE_INTEGER)).toMs,
    );
    const allowed = await governor.allows('expire', due, nowMs, { steady, reason, doubt });
    const isOnTime = doubt === undefined && Math.abs(nowMs - past.clockMs) <= STEADY_MS;
    if (allowed) await this.#expire(due.cutsMs, nowMs);
    // The retention of before goes on while the new one waits for its permission.
    else if (isOnTime) await this.#expire(cutsOf(new Map(numbered(past.retentionMs)), nowMs), nowMs);

    const sinceMs = elapsedMs() - this.#lastMs;
    this.#lastMs += sinceMs;
    const batchesMs = doubt === undefined ? batchesClock(past, nowMs, sinceMs, isConfirmed) : past.batchesMs;
    await this.#forget(batchesMs);
    await keepExpiryClock(catalog, {
      clockMs: allowed || isOnTime ? nowMs : past.clockMs,
      retentionMs: allowed ? Object.fromEntries(retentionMs) : past.retentionMs,
      batchesMs,
      ranMs: nowMs,
    });
    if (allowed) await governor.settled('expire');
  }

  async #due(cuts: Readonly<Record<string, number>>): Promise<Due> {
    let due: Due = { blocks: 0, bytes: 0, fromMs: 0, toMs: 0, cutsMs: cuts };
    for (const [resolutionMs, beforeMs] of numbered(cuts)) {
      const { blocks, bytes, fromMs, toMs } = await this.#options.catalog.liveSpan(resolutionMs, beforeMs);
      if (blocks === 0) continue;
      const isFirst = due.blocks === 0;
      due = {
        ...due,
        blocks: due.blocks + blocks,
        bytes: due.bytes + bytes,
        fromMs: isFirst ? fromMs : Math.min(due.fromMs, fromMs),
        toMs: isFirst ? toMs : Math.max(due.toMs, toMs),
      };
    }
    return due;
  }

  async #expire(cuts: Readonly<Record<string, number>>, nowMs: number): Promise<void> {
    const { catalog, metrics } = this.#options;
    for (const [resolutionMs, beforeMs] of numbered(cuts)) {
      const blocks = await catalog.expireBlocks(resolutionMs, beforeMs, nowMs);
      metrics.expired.inc({ what: resolutionMs === 0 ? 'block' : 'rollup' }, blocks);
    }
  }

  async #forget(batchesMs: number): Promise<void> {
    const { catalog, metrics, rememberBatchesMs } = this.#options;
    const batches = await catalog.expireBatches(batchesMs - rememberBatchesMs, batchesMs);
    metrics.expired.inc({ what: 'batch' }, batches);
  }
}

function cutsOf(retentionMs: ReadonlyMap<number, number>, nowMs: number): Record<string, number> {
  return Object.fromEntries([...retentionMs].map(([resolution, keptMs]) => [resolution, nowMs - keptMs]));
}

/** What an hour more makes due, as things were at the last expiry. A resolution that is new has nothing to lose. */
function steadyCutsOf(past: ExpiryClock, retentionMs: ReadonlyMap<number, number>): Record<string, number> {
  const cuts = [...retentionMs].map(([resolution, keptMs]) => {
    return [resolution, past.clockMs + STEADY_MS - (past.retentionMs[resolution] ?? keptMs)];
  });
  return Object.fromEntries(cuts);
}

function lower(
  cuts: Readonly<Record<string, number>>,
  others: Readonly<Record<string, number>>,
): Record<string, number> {
  const lowest = Object.entries(cuts).map(([key, ms]) => [key, Math.min(ms, others[key] ?? ms)]);
  return Object.fromEntries(lowest);
}

function numbered(record: Readonly<Record<string, number>>): [number, number][] {
  return Object.entries(record).map(([key, value]) => [Number(key), value]);
}

function reasonOf(
  past: ExpiryClock,
  retentionMs: ReadonlyMap<number, number>,
  nowMs: number,
  newestSampleMs: number,
): string {
  const shorter = [...retentionMs].filter(([resolution, ms]) => ms < (past.retentionMs[resolution] ?? ms));
  const parts = shorter.map(([resolution, ms]) => {
    const what = resolution === 0 ? 'the retention' : `that of points of ${resolution / 60_000} minutes`;
    return `${what} was ${hours(past.retentionMs[resolution] ?? ms)} and is ${hours(ms)} now`;
  });
  if (Math.abs(nowMs - past.clockMs) > STEADY_MS || parts.length === 0) {
    parts.push(
      `the clock says ${iso(nowMs)}, it was ${iso(past.clockMs)} at the last expiry, and the newest sample is of ${iso(newestSampleMs)}`,
    );
  }
  return parts.join('; ');
}

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19);
}

function hours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}
