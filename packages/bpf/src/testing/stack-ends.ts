import { STACK_ENDS, STACK_TABLES_PENDING, type StackEnd } from '../collection.ts';
import type { RecordedSample } from './recording.ts';

/** How the user stacks of some samples ended. */
export interface EndCounts {
  /** Samples with a user stack that were taken when the tables were in place. */
  readonly samples: number;
  readonly complete: number;
  /** Taken before the tables were in place. */
  readonly pending: number;
  readonly frames: number;
  /** Of `samples`, the incomplete ones. */
  readonly others: ReadonlyMap<StackEnd, number>;
}

export function isPending({ flags }: RecordedSample): boolean {
  return (flags & STACK_TABLES_PENDING) !== 0;
}

export function countEnds(samples: readonly RecordedSample[]): EndCounts {
  const others = new Map<StackEnd, number>();
  const sum = { samples: 0, complete: 0, pending: 0, frames: 0 };
  for (const sample of samples) {
    const end = STACK_ENDS[sample.end] ?? 'none';
    if (end === 'none') continue;
    if (isPending(sample)) {
      sum.pending += sample.count;
      continue;
    }
    sum.samples += sample.count;
    sum.frames += sample.count * sample.frames.length;
    if (end === 'complete') sum.complete += sample.count;
    else others.set(end, (others.get(end) ?? 0) + sample.count);
  }
  return { ...sum, others };
}

/** One line of a table: name, share, depth, and what was incomplete. */
export function describeEnds(name: string, counts: EndCounts): string {
  const share = ((100 * counts.complete) / counts.samples).toFixed(2);
  const depth = (counts.frames / counts.samples).toFixed(1);
  const others = [...counts.others].map(([end, count]) => `${end} ${count}`).join(', ');
  return `${name.padEnd(14)} ${String(counts.samples).padStart(6)} samples  ${share.padStart(6)} % complete  depth ${depth.padStart(5)}  before tables ${counts.pending}  ${others}`;
}
