import type { SamplerStats } from '@fleetflame/bpf';

/** Samples taken but lost, by cause. */
export const LOSS_CAUSES = [
  /** Left out by the filter: not taken, and counted so that sums can say what they lack. */
  'excluded',
  /** The ring buffer had no room. */
  'ring_full',
  /** The sampler's fold table had no room. */
  'table_full',
  /** The spool dropped a batch to make room for newer ones. */
  'spool_full',
  /** A batch waited in the spool for longer than servers take it. */
  'spool_expired',
  /** A batch could not be written to the spool. */
  'spool_failed',
  /** The server refused a batch. */
  'refused',
] as const;
/** Or kept with a shortened stack: see StoppedStacks and lossKind. */
export type LossCause = (typeof LOSS_CAUSES)[number] | `stack_${string}`;

/** Running totals of losses, and what of them has been reported in a block. */
export class Losses {
  readonly #totals = new Map<LossCause, number>();
  readonly #reported = new Map<LossCause, number>();

  /** Counters only grow; one that fell was started anew and is taken as it is. */
  set(cause: LossCause, total: number): void {
    if (total > 0 || this.#totals.has(cause)) this.#totals.set(cause, total);
  }

  add(cause: LossCause, samples: number): void {
    this.#totals.set(cause, (this.#totals.get(cause) ?? 0) + samples);
  }

  setSampler(stats: SamplerStats): void {
    this.set('ring_full', stats.lostRingFull);
    this.set('table_full', stats.lostTableFull);
    this.set('excluded', stats.excluded);
  }

  /** What came since the last call, for the next block. */
  take(): Map<LossCause, number> {
    const fresh = new Map<LossCause, number>();
    for (const [cause, total] of this.#totals) {
      const samples = total - (this.#reported.get(cause) ?? 0);
      if (samples > 0) fresh.set(cause, samples);
      this.#reported.set(cause, total);
    }
    return fresh;
  }

  totals(): Record<string, number> {
    return Object.fromEntries(this.#totals);
  }
}
