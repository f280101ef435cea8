/**
 * When a request deserves a second one beside it: when it takes longer than 95 of 100 recent ones of
 * its kind did. One slow disk or one lost packet then costs that much and not a time-out. Hedges are
 * paid for by requests, so that a store which is slow as a whole gets a few percent more, not twice.
 */
import type { ObjectOperation } from '../object-events.ts';
import type { S3Limits } from './s3-limits.ts';

const RECENT = 128;
/** A percentile of fewer is a guess. */
const ENOUGH = 32;
/** The percentile is worked out anew after so many. */
const REFRESH = 16;
/** Hedges that can be saved up. */
const MOST_TOKENS = 8;
/** What is larger has its own statistics: its time is the link's, not the server's. */
const LARGE_BYTES = 256 << 10;

interface Recent {
  readonly seconds: Float64Array;
  count: number;
  p95Ms: number;
}

export class Hedging {
  readonly #limits: S3Limits;
  readonly #recent = new Map<string, Recent>();
  #tokens = 0;

  constructor(limits: S3Limits) {
    this.#limits = limits;
  }

  /** How long to wait for the first answer; undefined: a second request is out of the question. */
  delayMs(operation: ObjectOperation, bytes: number): number | undefined {
    if (bytes > this.#limits.hedgeBytes) return undefined;
    const recent = this.#recent.get(kindOf(operation, bytes));
    if (recent === undefined || recent.count < ENOUGH) return undefined;
    return Math.max(this.#limits.hedgeAfterMs, recent.p95Ms);
  }

  /** Takes what a hedge costs; false: not enough has been saved. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  answered(operation: ObjectOperation, bytes: number, seconds: number): void {
    this.#tokens = Math.min(MOST_TOKENS, this.#tokens + this.#limits.hedgeShare);
    const kind = kindOf(operation, bytes);
    let recent = this.#recent.get(kind);
    if (recent === undefined) {
      recent = { seconds: new Float64Array(RECENT), count: 0, p95Ms: 0 };
      this.#recent.set(kind, recent);
    }
    recent.seconds[recent.count++ % RECENT] = seconds;
    if (recent.count % REFRESH !== 0) return;
    const sorted = recent.seconds.slice(0, Math.min(recent.count, RECENT)).sort();
    recent.p95Ms = 1000 * (sorted[Math.floor(sorted.length * 0.95)] ?? 0);
  }
}

function kindOf(operation: ObjectOperation, bytes: number): string {
  return bytes > LARGE_BYTES ? `large ${operation}` : operation;
}
