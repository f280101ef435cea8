/** What a cause of `Block.losses` means for the numbers of the block. */
export type LossKind =
  /** Samples that are not in the block: its numbers are too low. */
  | 'lost'
  /** Kept, under the frames that could be read: CPU is right, callers are missing. */
  | 'shortened'
  /** Never taken, because the agent's filter leaves those processes out: as it is meant. */
  | 'excluded';

export function lossKind(cause: string): LossKind {
  if (cause === 'excluded') return 'excluded';
  return cause.startsWith('stack_') ? 'shortened' : 'lost';
}
