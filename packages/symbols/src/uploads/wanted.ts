/** Which of the files that agents offer the server wants. */
import { SymbolQuality, type Offer, type WantedResponse } from '@fleetflame/proto/symbols/v1/symbols';
import type { BinaryRecord } from '../binary-record.ts';
import { inParallel } from '../in-parallel.ts';
import { FAILURE_RETRY_MS, LATER_MS, LEASE_MS, STORAGE_CONCURRENCY, type SymbolLimits } from '../limits.ts';
import { SOURCE_QUALITY } from '../quality.ts';
import type { SymbolStore } from '../symbol-store.ts';
import type { Uploads } from './uploads.ts';

/** Askings remembered; the oldest are dropped, which costs at most another asking. */
const MAX_ASKED = 100_000;

export interface WantedOptions {
  readonly store: SymbolStore;
  readonly uploads: Uploads;
  readonly limits: SymbolLimits;
  readonly now: () => number;
}

export class Wanted {
  readonly #options: WantedOptions;
  /**
   * Build id → until when nobody else is asked by this server. Only so that a fleet that starts does not begin the
   * same upload a thousand times: who may upload is agreed on when he begins (lease.ts).
   */
  readonly #asked = new Map<string, number>();

  constructor(options: WantedOptions) {
    this.#options = options;
  }

  async choose(offers: readonly Offer[]): Promise<Omit<WantedResponse, '$typeName' | '$unknown'>> {
    const { limits } = this.#options;
    const answers = await inParallel(offers, STORAGE_CONCURRENCY, (offer) => this.#answer(offer));
    const those = (answer: Answer): string[] => [
      ...new Set(offers.flatMap((offer, index) => (answers[index] === answer ? [offer.buildId] : []))),
    ];
    return {
      buildIds: those('now'),
      later: those('later'),
      laterMs: LATER_MS,
      maxUploadBytes: BigInt(limits.uploadBytes),
    };
  }

  async #answer(offer: Offer): Promise<Answer> {
    const { store, uploads, limits, now } = this.#options;
    if (offer.bytes > (offer.supplementary ? limits.supplementBytes : limits.uploadBytes)) return 'no';
    const record = await store.record(offer.buildId);
    if (!(await this.#isWanted(offer, record))) return 'no';
    if ((this.#asked.get(offer.buildId) ?? 0) > now() || (await uploads.isHeld(offer.buildId)))
      return 'later';
    this.#remember(offer.buildId);
    return 'now';
  }

  async #isWanted(offer: Offer, record: BinaryRecord | undefined): Promise<boolean> {
    if (record === undefined) return true;
    const { store, now } = this.#options;
    const isTriedLately = now() - record.uploadedMs < FAILURE_RETRY_MS;
    if (offer.supplementary) return record.table === '' && !isTriedLately;
    if (record.table === '' || offer.quality > SOURCE_QUALITY[record.source]) {
      return record.attempted < offer.quality || !isTriedLately;
    }
    if (record.missingSupplement === '' || offer.quality < SymbolQuality.DWARF) return false;
    // What was missing has come since: with it there are more names.
    const supplement = await store.peek(record.missingSupplement);
    return supplement?.source === 'supplementary';
  }

  #remember(buildId: string): void {
    const { now } = this.#options;
    this.#asked.delete(buildId);
    this.#asked.set(buildId, now() + LEASE_MS);
    for (const [oldest, end] of this.#asked) {
      if (this.#asked.size <= MAX_ASKED && end > now()) break;
      this.#asked.delete(oldest);
    }
  }
}

type Answer = 'now' | 'later' | 'no';
