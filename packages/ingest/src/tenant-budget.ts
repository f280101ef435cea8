/**
 * What one tenant may send through this process: bytes a second, and series that are active at a time. Both are
 * shared by its senders, so that one of them cannot use them up for all: as long as there is room everybody may
 * use it; when there is none, who has less than an equal share of the whole still may.
 *
 *   bytes    a bucket that fills at the rate and holds ten seconds of it. A batch goes through while there is
 *            anything in it and may leave a debt, so that a batch larger than the bucket is late, not stuck.
 *            Each sender has a bucket of its own beside it, which is empty at first, fills at an equal share of the
 *            rate, and must hold the batch, or be full.
 *   series   fingerprints of what was sent in this half of the idle time and in the one before, with who sent them
 *
 * Who sends is known by a name that he chooses and, where the door tells it, by his address. Both have shares: of
 * an address with many names each has little, and the address has its own. Equal shares add up to the whole, so
 * that all together are at most three times the limit.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { TenantLimits } from './limits.ts';

const BURST_SECONDS = 10;
/** Senders that are told apart; who comes when there are so many shares with the others that did. */
export const MAX_SENDERS = 100_000;
const OTHERS = '';

/** What a batch comes from. */
export interface SenderName {
  readonly name: string;
  /** Empty: not known. */
  readonly address: string;
}

interface Sender {
  /** Bytes that it may send of its own share; negative: a debt. */
  tokens: number;
  filledMs: number;
  /** Series that it sent first in this half of the idle time, and in the one before. */
  current: number;
  previous: number;
  /** Of a name: its address, if that is known. */
  readonly address: Sender | undefined;
}

export class TenantBudget {
  readonly #tenant: string;
  readonly #limits: TenantLimits;
  readonly #metrics: IngestMetrics;
  readonly #names = new Map<string, Sender>();
  readonly #addresses = new Map<string, Sender>();
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
  spend(from: SenderName, sizeBytes: number, nowMs: number): void {
    this.#rotate(nowMs);
    const { bytesPerSecond } = this.#limits;
    this.#tokens = filled(this.#tokens, bytesPerSecond, nowMs - this.#filledMs);
    this.#filledMs = nowMs;
    const name = this.#sender(from, nowMs);
    const { address } = name;
    const byName = hasShare(name, bytesPerSecond / this.#names.size, sizeBytes, nowMs);
    const byAddress =
      address !== undefined && hasShare(address, bytesPerSecond / this.#addresses.size, sizeBytes, nowMs);
    if (this.#tokens <= 0 && !byName && !byAddress) {
      const waitSeconds = Math.ceil((1 - this.#tokens) / bytesPerSecond);
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
    name.tokens -= sizeBytes;
    if (address !== undefined) address.tokens -= sizeBytes;
  }

  /** Notes the series of a batch, one fingerprint of each. Throws not_now, and notes none, when there are too many new ones. */
  note(from: SenderName, fingerprints: Float64Array, nowMs: number): void {
    this.#rotate(nowMs);
    const sender = this.#sender(from, nowMs);
    const fresh: number[] = [];
    for (const fingerprint of fingerprints) {
      if (this.#current.has(fingerprint)) continue;
      const before = this.#previous.get(fingerprint);
      if (before === undefined) {
        fresh.push(fingerprint);
        continue;
      }
      this.#previous.delete(fingerprint);
      count(before, 'previous', -1);
      this.#current.set(fingerprint, sender);
      count(sender, 'current', 1);
    }
    const { activeSeries } = this.#limits;
    const own = sender.current + sender.previous;
    const share = Math.floor(activeSeries / this.#names.size);
    const { address } = sender;
    const hasRoom =
      this.activeSeries + fresh.length <= activeSeries ||
      own + fresh.length <= share ||
      (address !== undefined &&
        address.current + address.previous + fresh.length <= activeSeries / this.#addresses.size);
    if (!hasRoom) {
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
    count(sender, 'current', fresh.length);
  }

  #sender({ name, address }: SenderName, nowMs: number): Sender {
    const place = address === '' ? undefined : this.#oneOf(this.#addresses, address, () => newSender(nowMs));
    return this.#oneOf(this.#names, `${name} ${address}`, () => newSender(nowMs, place));
  }

  #oneOf(senders: Map<string, Sender>, id: string, create: () => Sender): Sender {
    const known = senders.get(id);
    if (known !== undefined) return known;
    if (senders.size >= MAX_SENDERS && id !== OTHERS) return this.#oneOf(senders, OTHERS, create);
    const sender = create();
    senders.set(id, sender);
    return sender;
  }

  #rotate(nowMs: number): void {
    const halfMs = this.#limits.seriesIdleMs / 2;
    if (nowMs < this.#halfEndsMs) return;
    const isPrevious = nowMs < this.#halfEndsMs + halfMs;
    this.#previous = isPrevious ? this.#current : new Map<number, Sender>();
    this.#current = new Map();
    this.#halfEndsMs = nowMs + halfMs;
    for (const senders of [this.#names, this.#addresses]) {
      for (const [id, sender] of senders) {
        sender.previous = isPrevious ? sender.current : 0;
        sender.current = 0;
        // Who sent nothing in this half and has no debt is forgotten: shares are those of who sends.
        if (sender.previous === 0 && sender.tokens >= 0 && nowMs - sender.filledMs >= halfMs)
          senders.delete(id);
      }
    }
  }
}

function newSender(nowMs: number, address?: Sender): Sender {
  return { tokens: 0, filledMs: nowMs, current: 0, previous: 0, address };
}

/** Fills its bucket; whether that has the bytes, or as many as it can have: then a large batch leaves a debt. */
function hasShare(sender: Sender, perSecond: number, sizeBytes: number, nowMs: number): boolean {
  sender.tokens = filled(sender.tokens, perSecond, nowMs - sender.filledMs);
  sender.filledMs = nowMs;
  return sender.tokens >= Math.min(sizeBytes, perSecond * BURST_SECONDS);
}

/** Series of a name are those of its address, too. */
function count(sender: Sender, half: 'current' | 'previous', series: number): void {
  sender[half] += series;
  if (sender.address !== undefined) sender.address[half] += series;
}

/** A clock that was set back adds nothing. */
function filled(tokens: number, perSecond: number, passedMs: number): number {
  return Math.min(perSecond * BURST_SECONDS, tokens + (Math.max(0, passedMs) / 1000) * perSecond);
}
