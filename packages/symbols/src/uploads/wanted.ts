/** Which of the files that agents offer the server wants. */
import { SymbolQuality, type Offer, type WantedResponse } from '@fleetflame/proto/symbols/v1/symbols';
import type { BinaryRecord } from '../binary-record.ts';
import { inParallel } from '../in-parallel.ts';
import { LATER_MS, LEASE_MS, STORAGE_CONCURRENCY, type SymbolLimits } from '../limits.ts';
import { SOURCE_QUALITY } from '../quality.ts';
import type { SymbolStore } from '../symbol-store.ts';
import type { Tries } from './tries.ts';
import type { Uploads } from './uploads.ts';

/** Askings remembered; the oldest are dropped, which costs at most another asking. */
const MAX_ASKED = 100_000;
/** Who was asked so many times in a row did not begin an upload: perhaps he never will, and everybody is asked. */
const MAX_ROUNDS = 4;
/** After this a build id is asked for as if for the first time. */
const FORGOTTEN_MS = 600_000;

export interface WantedOptions {
  readonly store: SymbolStore;
  readonly uploads: Uploads;
  readonly tries: Tries;
  readonly limits: SymbolLimits;
  readonly now: () => number;
}

export class Wanted {
  readonly #options: WantedOptions;
  /**
   * Build id → until when nobody else is asked by this server, and how many were. Only so that a fleet that starts does not begin the
   * same upload a thousand times: who may upload is agreed on when he begins (lease.ts).
   */
  readonly #asked = new Map<string, { readonly untilMs: number; readonly rounds: number }>();

  constructor(options: WantedOptions) {
    this.#options = options;
  }

  async choose(
    offers: readonly Offer[],
    uploader: string,
  ): Promise<Omit<WantedResponse, '$typeName' | '$unknown'>> {
    const { limits } = this.#options;
    const answers = await inParallel(offers, STORAGE_CONCURRENCY, (offer) => this.#answer(offer, uploader));
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

  /** An upload has ended, well or not: whoever is next may be asked. */
  forget(buildId: string): void {
    this.#asked.delete(buildId);
  }

  async #answer(offer: Offer, uploader: string): Promise<Answer> {
    const { store, uploads, tries, limits, now } = this.#options;
    if (offer.bytes > (offer.supplementary ? limits.supplementBytes : limits.uploadBytes)) return 'no';
    const record = await store.record(offer.buildId);
    if (!(await this.#isWanted(offer, record, uploader))) return 'no';
    const verdict = tries.verdict(offer.buildId, { uploader, content: offer.content });
    if (verdict !== 'yes') return verdict;
    const asked = this.#asked.get(offer.buildId);
    const isAsked = asked !== undefined && asked.untilMs > now() && asked.rounds < MAX_ROUNDS;
    if (isAsked || (await uploads.isHeld(offer.buildId))) return 'later';
    this.#remember(offer.buildId);
    return 'now';
  }

  async #isWanted(offer: Offer, record: BinaryRecord | undefined, uploader: string): Promise<boolean> {
    if (record === undefined) return true;
    if (record.table === '') return true;
    if (offer.supplementary) return false;
    // Somebody called a binary's build id that of a supplementary file.
    if (record.source === 'supplementary') return true;
    if (offer.quality > SOURCE_QUALITY[record.source]) return true;
    if (offer.quality === SOURCE_QUALITY[record.source]) {
      const { content } = offer;
      if (this.#options.store.wantsOpinion(record, { uploader, content })) return true;
    }
    if (record.missingSupplement === '' || offer.quality < SymbolQuality.DWARF) return false;
    // What was missing has come since: with it there are more names.
    const supplement = await this.#options.store.peek(record.missingSupplement);
    return supplement?.source === 'supplementary';
  }

  #remember(buildId: string): void {
    const { now } = this.#options;
    const rounds = (this.#asked.get(buildId)?.rounds ?? 0) + 1;
    this.#asked.delete(buildId);
    this.#asked.set(buildId, { untilMs: now() + LEASE_MS, rounds });
    for (const [oldest, { untilMs }] of this.#asked) {
      if (this.#asked.size <= MAX_ASKED && untilMs + FORGOTTEN_MS > now()) break;
      this.#asked.delete(oldest);
    }
  }
}

type Answer = 'now' | 'later' | 'no';
