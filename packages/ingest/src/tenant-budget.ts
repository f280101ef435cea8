/**
 * What one tenant may send through this process: bytes a second, and series that are active at a time. Both are
 * shared by its senders, so that one of them cannot use them up for all: as long as there is room everybody may
 * use it; when there is none, who has less than an equal share of the whole still may.
 *
 *   bytes    a bucket that fills at the rate and holds ten seconds of it. A batch goes through while there is
 *            anything in it and may leave a debt, so that a batch larger than the bucket is late, not stuck.
 *            Each sender has a bucket of its own beside it, which fills at an equal share of the rate.
 *   series   fingerprints of what was sent in this half of the idle time and in the one before, with who sent them
 *
 * Equal shares add up to the whole, so that both together are at most twice the limit.
 */
import { FleetflameError, seriesFingerprint, type Block } from '@fleetflame/profile';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { TenantLimits } from './limits.ts';

const BURST_SECONDS = 10;
/** Senders that are told apart; who comes when there are so many shares with the others that did. */
export const MAX_SENDERS = 100_000;
const OTHERS = '';

interface Sender {
  /** Bytes that it may send of its own share; negative: a debt. */
  tokens: number;
  filledMs: number;
  /** Series that it sent first in this half of the idle time, and in the one before. */
  current: number;
  previous: number;
}

export class TenantBudget {
  readonly #tenant: string;
  readonly #limits: TenantLimits;
  readonly #metrics: IngestMetrics;
  readonly #senders = new Map<string, Sender>();
  /** Bytes that may be sent now; negative: a debt. */
  #tokens: number;
  #filledMs: number;
  #current = new Map<number, Sender>();
  #previous = new Map<number, Sender>();
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
  spend(senderId: string, sizeBytes: number, nowMs: number): void {
    this.#rotate(nowMs);
    const { bytesPerSecond } = this.#limits;
    this.#tokens = filled(this.#tokens, bytesPerSecond, nowMs - this.#filledMs);
    this.#filledMs = nowMs;
    const sender = this.#sender(senderId, nowMs);
    const share = bytesPerSecond / this.#senders.size;
    sender.tokens = filled(sender.tokens, share, nowMs - sender.filledMs);
    sender.filledMs = nowMs;
    if (this.#tokens <= 0 && sender.tokens <= 0) {
      const waitSeconds = Math.ceil(
        Math.min((1 - this.#tokens) / bytesPerSecond, (1 - sender.tokens) / share),
      );
      throw this.#metrics.refuse(
        'bytesPerSecond',
        new FleetflameError(
          'overloaded',
          `Tenant ${this.#tenant} sends more than the ${bytesPerSecond} bytes a second that this server takes ` +
            `from it, and this sender more than its share of them: send the batch again in ${waitSeconds} s, or ` +
            `sample less often.`,
        ),
      );
    }
    // What goes by the sender's own share is not charged to the others.
    if (this.#tokens > 0) this.#tokens -= sizeBytes;
    sender.tokens -= sizeBytes;
  }

  /** Notes the series of a batch. Throws not_now, and notes none, when there are too many new ones. */
  note(senderId: string, block: Block, nowMs: number): void {
    this.#rotate(nowMs);
    const sender = this.#sender(senderId, nowMs);
    const fresh: number[] = [];
    for (let row = 0; row < block.series.length; row++) {
      const fingerprint = seriesFingerprint(block, row);
      if (this.#current.has(fingerprint)) continue;
      const before = this.#previous.get(fingerprint);
      if (before === undefined) {
        fresh.push(fingerprint);
        continue;
      }
      this.#previous.delete(fingerprint);
      before.previous--;
      this.#current.set(fingerprint, sender);
      sender.current++;
    }
    const { activeSeries } = this.#limits;
    const own = sender.current + sender.previous;
    const share = Math.floor(activeSeries / this.#senders.size);
    if (this.activeSeries + fresh.length > activeSeries && own + fresh.length > share) {
      throw this.#metrics.refuse(
        'activeSeries',
        new FleetflameError(
          'not_now',
          `Tenant ${this.#tenant} has ${this.activeSeries} active series and the batch brings ${fresh.length} ` +
            `more, the limit is ${activeSeries}; ${own} are of this sender, whose share is ${share}: drop a label ` +
            `with many values, or send the batch again when fewer are active.`,
          { field: 'series' },
        ),
      );
    }
    for (const fingerprint of fresh) this.#current.set(fingerprint, sender);
    sender.current += fresh.length;
  }

  #sender(id: string, nowMs: number): Sender {
    const known = this.#senders.get(id);
    if (known !== undefined) return known;
    if (this.#senders.size >= MAX_SENDERS && id !== OTHERS) return this.#sender(OTHERS, nowMs);
    const tokens = (this.#limits.bytesPerSecond * BURST_SECONDS) / (this.#senders.size + 1);
    const sender = { tokens, filledMs: nowMs, current: 0, previous: 0 };
    this.#senders.set(id, sender);
    return sender;
  }

  #rotate(nowMs: number): void {
    const halfMs = this.#limits.seriesIdleMs / 2;
    if (nowMs < this.#halfEndsMs) return;
    const isPrevious = nowMs < this.#halfEndsMs + halfMs;
    this.#previous = isPrevious ? this.#current : new Map<number, Sender>();
    this.#current = new Map();
    this.#halfEndsMs = nowMs + halfMs;
    for (const [id, sender] of this.#senders) {
      sender.previous = isPrevious ? sender.current : 0;
      sender.current = 0;
      // Who sent nothing in this half and has no debt is forgotten: shares are those of who sends.
      if (sender.previous === 0 && sender.tokens >= 0 && nowMs - sender.filledMs >= halfMs)
        this.#senders.delete(id);
    }
  }
}

/** A clock that was set back adds nothing. */
function filled(tokens: number, perSecond: number, passedMs: number): number {
  return Math.min(perSecond * BURST_SECONDS, tokens + (Math.max(0, passedMs) / 1000) * perSecond);
}
