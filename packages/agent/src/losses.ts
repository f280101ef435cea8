import type { SamplerStats } from '@fleetflame/bpf';

/** Samples taken but lost, or kept with a shortened stack (stack_*, see isKeptLoss), by cause. */
export const LOSS_CAUSES = [
  /** The ring buffer had no room. */
  'ring_full',
  /** The sampler's fold table had no room. */
  'table_full',
  /** Kept: the user stack could not be read to its end. */
  'stack_read_failed',
  /** Kept: the stack was deeper than the limit. */
  'stack_truncated',
  /** Kept: the chain of callers ended before the outermost frame. */
  'stack_chain_broken',
  /** Kept: the mappings of the process were not known, its addresses have no binary. */
  'stack_no_process',
  /** Kept: taken before the unwind tables of its process were in place. */
  'stack_tables_pending',
  /** The spool dropped a batch to make room for newer ones. */
  'spool_full',
  /** A batch could not be written to the spool. */
  'spool_failed',
  /** The server refused a batch. */
  'refused',
] as const;
export type LossCause = (typeof LOSS_CAUSES)[number];

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
    this.set('stack_read_failed', stats.stackReadFailed);
    this.set('stack_truncated', stats.stackTruncated);
    this.set('stack_chain_broken', stats.stackChainBroken);
    this.set('stack_no_process', stats.stackNoProcess);
    this.set('stack_tables_pending', stats.stackTablesPending);
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
