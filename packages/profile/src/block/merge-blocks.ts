/**
 * The one operation: blocks in, one block out. Associative and commutative, on integers, so work
 * may be split over threads, processes and regions in any way and the answer is the same to the
 * last digit (float64 sums of integers are exact up to 2^53).
 *
 * 1. Per block, mark what its samples refer to, from samples down to strings.
 * 2. Intern the marked rows into shared tables, leaving a map from old rows to new ones.
 * 3. Concatenate the sample rows, mapped and rebased to the earliest start.
 * 4. `assembleBlock` groups and sums them.
 *
 * What no sample refers to is not carried over, so a block that is merged again and again does not
 * grow without bound.
 */
import { FleetflameError } from '../errors.ts';
import { assembleBlock, type SampleRows } from './tables/assemble-block.ts';
import { checkTimeSpan } from './block-builder.ts';
import type { Block } from './block.ts';
import { uniteDefaults } from './default-types.ts';
import { giveBack } from './give-back.ts';
import { InternedTables } from './tables/interned-tables.ts';
import { ProfileList } from './tables/profile-list.ts';
import { remapBlock } from './tables/remap-block.ts';

export function mergeBlocks(blocks: readonly Block[]): Block {
  const { startMs, endMs, losses } = timeRangeOf(blocks);
  checkTimeSpan(startMs, endMs);
  const tables = new InternedTables();
  const rows = concatenate(tables, blocks, startMs);
  const block = assembleBlock(tables, rows, startMs, endMs, losses);
  tables.release();
  const { series, stack, total, points } = rows;
  for (const array of [series, stack, total, ...Object.values(points ?? {})]) giveBack(array);
  return { ...block, ...uniteDefaults(blocks) };
}

/** The range that holds all of them, and what all of them lost. */
export function timeRangeOf(blocks: readonly Pick<Block, 'timeStartMs' | 'timeEndMs' | 'losses'>[]): {
  startMs: number;
  endMs: number;
  losses: Map<string, number>;
} {
  let startMs = Infinity;
  let endMs = -Infinity;
  const losses = new Map<string, number>();
  for (const block of blocks) {
    // An empty range is the identity: it says nothing about when.
    if (block.timeEndMs > block.timeStartMs) {
      startMs = Math.min(startMs, block.timeStartMs);
      endMs = Math.max(endMs, block.timeEndMs);
    }
    for (const [cause, samples] of block.losses) losses.set(cause, (losses.get(cause) ?? 0) + samples);
  }
  return startMs === Infinity ? { startMs: 0, endMs: 0, losses } : { startMs, endMs, losses };
}

/** True for a block that was read without its points: it has totals only. */
export function hasTotalsOnly(block: Block): boolean {
  return block.samples.length > 0 && block.samples.pointStart[block.samples.length] === 0;
}

function concatenate(
  tables: InternedTables,
  blocks: readonly Block[],
  startMs: number,
): SampleRows & { readonly profiles: ProfileList } {
  const used = blocks.filter(({ samples, series }) => samples.length > 0 || series.profileTime.length > 0);
  const withSamples = used.filter(({ samples }) => samples.length > 0);
  const totalsOnly = withSamples.filter(hasTotalsOnly).length;
  if (totalsOnly > 0 && totalsOnly < withSamples.length) {
    throw new FleetflameError(
      'invalid_input',
      'Blocks read without points and blocks with points cannot be merged: read all of them one way.',
      { field: 'samples' },
    );
  }
  let rowCount = 0;
  let pointCount = 0;
  for (const { samples } of used) {
    rowCount += samples.length;
    pointCount += samples.time.length;
  }
  const series = new Uint32Array(rowCount);
  const stack = new Uint32Array(rowCount);
  const total = new Float64Array(rowCount);
  const start = new Uint32Array(rowCount + 1);
  const time = new Uint32Array(pointCount);
  const value = new Float64Array(pointCount);
  const profiles = new ProfileList();
  let row = 0;
  let point = 0;
  for (const block of used) {
    const { samples } = block;
    const map = remapBlock(tables, block, profiles);
    const shift = block.timeStartMs - startMs;
    for (let i = 0; i < samples.length; i++) {
      series[row + i] = map.series[samples.series[i]!]!;
      stack[row + i] = map.stack[samples.stack[i]!]!;
      start[row + i + 1] = point + samples.pointStart[i + 1]!;
    }
    total.set(samples.total, row);
    for (let i = 0; i < samples.time.length; i++) time[point + i] = samples.time[i]! + shift;
    value.set(samples.value, point);
    row += samples.length;
    point += samples.time.length;
  }
  return { series, stack, total, points: totalsOnly > 0 ? undefined : { start, time, value }, profiles };
}
