import { loadAddon } from './addon.ts';
import type { NativeSampler } from './addon.ts';
import type { Collection } from './collection.ts';
import { SamplerError } from './errors.ts';
import type { SamplerStats } from './sampler-stats.ts';

/** Above this the cost of the interrupts alone exceeds 2 % of a CPU on a virtual machine. */
export const MAX_FREQUENCY_HZ = 1000;

export interface SamplerOptions {
  /** Samples per second and CPU, 1 to 1000. */
  readonly frequencyHz: number;
  /**
   * False walks stacks with the loop that kernels before 5.17 need; the kernel's own loop is used
   * where it exists. Default true.
   */
  readonly bpfLoop?: boolean;
}

/**
 * Samples every CPU of this host from construction to close. The work is done by a BPF program and
 * a thread of the addon; call collect every few seconds, or the fold table fills (65,536 rows).
 */
export class Sampler {
  readonly #native: NativeSampler;

  /** Throws SamplerError. */
  constructor(options: SamplerOptions) {
    const { frequencyHz, bpfLoop = true } = options;
    if (!Number.isInteger(frequencyHz) || frequencyHz < 1 || frequencyHz > MAX_FREQUENCY_HZ) {
      throw new SamplerError(
        'invalid_input',
        `frequencyHz is ${frequencyHz}: it has to be an integer from 1 to ${MAX_FREQUENCY_HZ}`,
      );
    }
    const { Sampler: Native } = loadAddon();
    this.#native = attempt(() => new Native({ frequencyHz, bpfLoop }));
  }

  /** What was gathered since the last call; after close, the rest. Throws SamplerError if sampling had to end. */
  collect(): Collection {
    return attempt(() => this.#native.collect());
  }

  stats(): SamplerStats {
    return this.#native.stats();
  }

  /** Ends sampling. What the rings still hold is there for one more collect. May be called again. */
  close(): void {
    this.#native.close();
  }
}

function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw SamplerError.from(error);
  }
}
