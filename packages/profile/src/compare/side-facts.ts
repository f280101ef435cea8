import { FRAME_KINDS } from '../projection/flame-table.ts';
import { stoppedStacks } from '../projection/stopped-stacks.ts';
import type { FlameTree } from '../projection/flame-tree.ts';

const WITHOUT_NAMES = new Set(
  (['label', 'stopped', 'root'] as const).map((kind) => FRAME_KINDS.indexOf(kind)),
);

/** Value of samples whose innermost frame has no name, in the tree's unit. */
export function unnamedSelf({ frames, frame, self, length }: FlameTree): number {
  let unnamed = 0;
  for (let i = 1; i < length; i++) {
    const of = frame[i]!;
    if (frames.namedOf(of) === 0 && !WITHOUT_NAMES.has(frames.kind[of]!)) unnamed += self[i]!;
  }
  return unnamed;
}

/** Value of stacks whose callers could not all be found, in the tree's unit. */
export function stoppedValue(tree: FlameTree): number {
  return stoppedStacks(tree).reduce((sum, { value }) => sum + value, 0);
}
