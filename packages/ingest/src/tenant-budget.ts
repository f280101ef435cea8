/**
 * What one tenant may send through this process: bytes a second, and series that are active at a time.
 *
 *   bytes    a bucket that fills at the rate and holds ten seconds of it. A batch goes through while there is
 *            anything in it and may leave a debt, so that a batch larger than the bucket is late, not stuck.
 *   series   fingerprints of what was sent in this half of the idle time and in the one before
 */
import { FleetflameError, seriesFingerprint, type Block } from '@fleetflame/profile';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { TenantLimits } from './limits.ts';

const BURST_SECONDS = 10;

export class TenantBudget {
  readonly #tenant: string;
  readonly #limits: TenantLimits;
  readonly #metrics: IngestMetrics;
  /** Bytes that may be sent now; negative: a debt. */
  #tokens: number;
  #filledMs: number;
  #current = new Set<number>();
  #previous = new Set<number>();
  #halfEndsMs: number;

  constructor(tenant: string, limits: TenantLimits, metrics: IngestMetrics, nowMs: number) {
    this.#tenant = tenant;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#tokens = limits.bytesPerSecond * BURST_SECONDS;
    this.#filledMs = nowMs;
    this.#halfEndsMs = nowMs + limits.seriesIdleMs / 2;
  }

  get activeSeries(): number {
    return this.#current.size + this.#previous.size;
  }

  /** Throws overloaded: the same batch may be sent again when the bucket has filled. */
  spend(sizeBytes: number, nowMs: number): void {
    const { bytesPerSecond } = this.#limits;
    const full = bytesPerSecond * BURST_SECONDS;
    // A clock that was set back adds nothing.
    const earned = (Math.max(0, nowMs - this.#filledMs) / 1000) * bytesPerSecond;
    this.#tokens = Math.min(full, this.#tokens + earned);
    this.#filledMs = nowMs;
    if (this.#tokens <= 0) {
      const waitSeconds = Math.ceil((1 - this.#tokens) / bytesPerSecond);
      throw this.#metrics.refuse(
        'bytesPerSecond',
        new FleetflameError(
          'overloaded',
          `Tenant ${this.#tenant} sends more than the ${bytesPerSecond} bytes a second that this server takes ` +
            `from it: send the batch again in ${waitSeconds} s, or sample less often.`,
        ),
      );
    }
    this.#tokens -= sizeBytes;
  }

  /** Notes the series of a batch. Throws limit_exceeded, and notes none, when there are too many new ones. */
  note(block: Block, nowMs: number): void {
    this.#rotate(nowMs);
    const fresh: number[] = [];
    for (let row = 0; row < block.series.length; row++) {
      const fingerprint = seriesFingerprint(block, row);
      if (this.#current.has(fingerprint)) continue;
      if (this.#previous.delete(fingerprint)) this.#current.add(fingerprint);
      else fresh.push(fingerprint);
    }
    const { activeSeries } = this.#limits;
    if (this.activeSeries + fresh.length > activeSeries) {
      throw this.#metrics.refuse(
        'activeSeries',
        new FleetflameError(
          'limit_exceeded',
          `Tenant ${this.#tenant} has ${this.activeSeries} active series and the batch brings ${fresh.length} ` +
            `more, the limit is ${activeSeries}: drop a label with many values.`,
          { field: 'series' },
        ),
      );
    }
    for (const fingerprint of fresh) this.#current.add(fingerprint);
  }

  #rotate(nowMs: number): void {
    const halfMs = this.#limits.seriesIdleMs / 2;
    if (nowMs < this.#halfEndsMs) return;
    this.#previous = nowMs < this.#halfEndsMs + halfMs ? this.#current : new Set();
    this.#current = new Set();
    this.#halfEndsMs = nowMs + halfMs;
  }
}
