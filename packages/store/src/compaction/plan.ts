/**
 * Decides what to merge: a pure function of some live blocks and the time.
 *
 * - A block whose window is over at a higher level than its own goes up, together with all others of
 *   that window.
 * - Blocks that share a window at the same level (late data) are merged when they are several of like
 *   size, so that a large block is not rewritten for every small one that comes, or when nothing new
 *   has come for a while.
 *
 * Only blocks of one tenant, shard and resolution are merged with each other; those that are not of the
 * tenant's shards (segments, and blocks from before the count changed) are merged with each other and
 * come out by shard.
 *
 * A merge takes a bounded number of bytes. What exceeds it becomes several blocks of one window.
 */
import { blockCreatedMs } from '../block-id.ts';
import type { BlockEntry } from '../catalog/block-entry.ts';
import { windowAt, type Window } from './levels.ts';

/** Stored bytes that one merge reads: what a store of objects hands out within a second or two. */
export const MERGE_INPUT_BYTES = 16 << 20;
/**
 * Points that one merge reads. A merge holds its inputs and its output, 40 to 60 bytes a point in all
 * (bench/merge, memory): some 500 MB in the worker at the very most. Well-compressed hours have two points
 * in a byte, so bytes alone would be no bound.
 */
export const MERGE_INPUT_POINTS = 8 << 20;
/** A minute of segments from several ingest processes; bounds open footers and the swap's statement. */
export const MERGE_INPUT_BLOCKS = 2048;
/** So many blocks of like size in one window are worth a merge at once. */
const LATE_BLOCKS = 4;
/** A block is of like size while it is at most so many times what is smaller than it. */
const LIKE_SIZE = 4;
/** A window that got nothing new for so long is tidied up whatever the sizes. */
const LATE_QUIET_MS = 600_000;

export type CompactionJob =
  /** Read, merged, written anew. */
  | { readonly kind: 'merge'; readonly window: Window; readonly inputs: readonly BlockEntry[] }
  /** The block is alone in its window already: only its row changes. */
  | { readonly kind: 'relevel'; readonly window: Window; readonly input: BlockEntry };

/** Smallest first, so that what is cheap and what queries wait for comes before what is large. */
export function planCompaction(blocks: readonly BlockEntry[], nowMs: number, shards = 1): CompactionJob[] {
  const rising = new Map<string, Group>();
  const settled = new Map<string, Group>();
  for (const block of blocks) {
    const window = windowAt(block.timeMinMs, nowMs);
    if (window.level > block.level) addTo(rising, window, block, shards);
    else if (block.level > 0) addTo(settled, window, block, shards);
  }
  const jobs: CompactionJob[] = [];
  for (const { window, blocks: group } of rising.values()) {
    for (const inputs of split(group)) jobs.push(risingJob(window, inputs, nowMs, shards));
  }
  for (const [name, { window, blocks: group }] of settled) {
    // The window is about to be merged anyway.
    if (rising.has(name)) continue;
    const inputs = lateInputs(group, nowMs);
    if (inputs.length > 1) jobs.push({ kind: 'merge', window, inputs });
  }
  return jobs.toSorted((a, b) => jobBytes(a) - jobBytes(b));
}

/** Blocks to roll up together: of one window, tenant and shard, as much as one merge takes. */
export function planRollups(blocks: readonly BlockEntry[], nowMs: number, shards = 1): CompactionJob[] {
  const groups = new Map<string, Group>();
  for (const block of blocks) addTo(groups, windowAt(block.timeMinMs, nowMs), block, shards);
  const jobs: CompactionJob[] = [];
  for (const { window, blocks: group } of groups.values()) {
    for (const inputs of split(group)) jobs.push({ kind: 'merge', window, inputs });
  }
  return jobs.toSorted((a, b) => jobBytes(a) - jobBytes(b));
}

/** Stored bytes that the job reads. */
export function jobBytes(job: CompactionJob): number {
  if (job.kind === 'relevel') return 0;
  return job.inputs.reduce((sum, block) => sum + block.sizeBytes, 0);
}

interface Group {
  readonly window: Window;
  readonly blocks: BlockEntry[];
}

function addTo(groups: Map<string, Group>, window: Window, block: BlockEntry, shards: number): void {
  const shard = block.shards === shards ? block.shard : 'mixed';
  const { tenant, resolutionMs, rolledUp } = block;
  const name = [tenant, resolutionMs, rolledUp, shard, window.level, window.startMs].join('/');
  const group = groups.get(name);
  if (group === undefined) groups.set(name, { window, blocks: [block] });
  else group.blocks.push(block);
}

function risingJob(
  window: Window,
  inputs: readonly BlockEntry[],
  nowMs: number,
  shards: number,
): CompactionJob {
  const [only, ...others] = inputs;
  if (only !== undefined && others.length === 0 && only.shards === shards) {
    const last = windowAt(only.timeMaxMs, nowMs);
    if (last.startMs === window.startMs && last.level === window.level) {
      return { kind: 'relevel', window, input: only };
    }
  }
  return { kind: 'merge', window, inputs };
}

/** How much of what one merge may take. */
function shareOfMerge({ sizeBytes, points }: BlockEntry): number {
  return Math.max(sizeBytes / MERGE_INPUT_BYTES, points / MERGE_INPUT_POINTS);
}

/** Runs of neighbours in time that fit into one merge. */
function split(blocks: readonly BlockEntry[]): BlockEntry[][] {
  const ordered = blocks.toSorted((a, b) => a.timeMinMs - b.timeMinMs || (a.id < b.id ? -1 : 1));
  const runs: BlockEntry[][] = [];
  let run: BlockEntry[] = [];
  let share = 0;
  for (const block of ordered) {
    const full = share + shareOfMerge(block) > 1 || run.length >= MERGE_INPUT_BLOCKS;
    if (full && run.length > 0) {
      runs.push(run);
      run = [];
      share = 0;
    }
    run.push(block);
    share += shareOfMerge(block);
  }
  if (run.length > 0) runs.push(run);
  return runs;
}

/** Which of a window's blocks to merge now; fewer than two: none. */
function lateInputs(group: readonly BlockEntry[], nowMs: number): BlockEntry[] {
  const bySize = group.toSorted((a, b) => a.sizeBytes - b.sizeBytes || (a.id < b.id ? -1 : 1));
  const newestMs = bySize.reduce((newest, block) => Math.max(newest, blockCreatedMs(block.id)), 0);
  const quiet = nowMs - newestMs >= LATE_QUIET_MS;
  const inputs: BlockEntry[] = [];
  let bytes = 0;
  let share = 0;
  for (const block of bySize) {
    const alike = inputs.length === 0 || block.sizeBytes <= bytes * LIKE_SIZE;
    if (share + shareOfMerge(block) > 1 || inputs.length >= MERGE_INPUT_BLOCKS) break;
    if (!quiet && !alike) break;
    inputs.push(block);
    bytes += block.sizeBytes;
    share += shareOfMerge(block);
  }
  return quiet || inputs.length >= LATE_BLOCKS ? inputs : [];
}
