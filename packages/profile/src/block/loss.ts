/**
 * Causes of `Block.losses` come in two kinds. Those named stack_* speak of samples that were kept
 * with a shortened stack: their CPU is counted, under the frames that could be read. All others
 * speak of samples that are not in the block.
 */
export function isKeptLoss(cause: string): boolean {
  return cause.startsWith('stack_');
}
