import { STACK_ENDS, type StackEnd } from '@fleetflame/bpf';
import type { LocationIndex, StoppedReason } from '@fleetflame/profile';
import type { FrameResolver } from './frame-resolver.ts';

/** By index of STACK_ENDS. */
const REASON_OF_END: readonly (StoppedReason | undefined)[] = STACK_ENDS.map((end: StackEnd) =>
  end === 'none' || end === 'complete' ? undefined : end,
);

/** Of the kernel's stack, which has no end of its own. */
const KERNEL = STACK_ENDS.length;
const NO_PROCESS = KERNEL + 1;

/**
 * The markers of one window's stacks that are not whole, and how many samples have each. Both come from
 * the same rows, so that the block's losses and its markers say the same.
 */
export class StoppedStacks {
  readonly #resolver: FrameResolver;
  readonly #markers: (LocationIndex | undefined)[] = [];
  readonly #samples = new Float64Array(NO_PROCESS + 1);

  constructor(resolver: FrameResolver) {
    this.#resolver = resolver;
  }

  /** Counts samples by the end of their user stack; its marker, undefined when it is whole or there is none. */
  user(end: number, samples: number): LocationIndex | undefined {
    const reason = REASON_OF_END[end];
    return reason === undefined ? undefined : this.#marker(end, reason, samples);
  }

  /** As user(), for a kernel stack that lacks its outer frames. */
  kernel(samples: number): LocationIndex {
    return this.#marker(KERNEL, 'kernel_truncated', samples);
  }

  /** Samples whose addresses have no binary, because the process was gone: no marker, the frames show it. */
  noProcess(samples: number): void {
    this.#samples[NO_PROCESS]! += samples;
  }

  /** Causes for Block.losses, `stack_` and the reason, with their samples. */
  *losses(): Iterable<readonly [cause: `stack_${string}`, samples: number]> {
    for (const [index, samples] of this.#samples.entries()) {
      if (samples === 0) continue;
      if (index === NO_PROCESS) yield ['stack_no_process', samples];
      else yield [`stack_${index === KERNEL ? 'kernel_truncated' : REASON_OF_END[index]}`, samples];
    }
  }

  #marker(index: number, reason: StoppedReason, samples: number): LocationIndex {
    this.#samples[index]! += samples;
    return (this.#markers[index] ??= this.#resolver.stopped(reason));
  }
}
