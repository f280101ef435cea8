/**
 * Whether an object without a row is a leftover, of which nothing would be missing if it went. That its catalog does not
 * know it proves nothing: the catalog may be older than the object. What proves it is in the object's footer:
 *
 *   a segment               all of its batches are committed, in other blocks: it was written, never committed, and sent again
 *   a merge, an erasure     each of its inputs still counts and is there, or was taken by other work that the catalog knows
 *   a rollup                each of its inputs still counts and is there, or is in other rollups
 *   anything                its samples are older than the retention, by the clock and the setting that expiry last went by
 */
import { FleetflameError, readFooter } from '@fleetflame/profile';
import { blockKey } from '../block-id.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { ObjectSource } from '../reading/object-source.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { decodeOrigin, type Origin } from '../origin/origin.ts';
import type { ExpiryClock } from './expiry-clock.ts';

/** An object without a row that is older than any write can be. */
export interface Orphan {
  readonly key: string;
  readonly sizeBytes: number;
  /** Unix ms. */
  readonly writtenMs: number;
}

/** `unproven`: it may hold what nothing else does. */
export type Verdict = 'leftover' | 'expired' | 'unproven';

export interface JudgeOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  /** Keys of all objects of blocks. */
  readonly present: ReadonlySet<string>;
  readonly past: ExpiryClock;
  /** How long blocks are kept, by resolution. */
  readonly retentionMs: ReadonlyMap<number, number>;
}

export async function judgeOrphan(options: JudgeOptions, { key, sizeBytes }: Orphan): Promise<Verdict> {
  const { objects } = options;
  let origin: Origin | undefined;
  let endMs: number;
  try {
    const footer = await readFooter(new ObjectSource(objects, key, sizeBytes));
    endMs = Number(footer.timeEndMs);
    origin = decodeOrigin(footer);
  } catch (error) {
    if (!(error instanceof FleetflameError) || error.code === 'unavailable') throw error;
    return 'unproven';
  }
  if (endMs < expiredBeforeMs(options, origin?.place.resolutionMs)) return 'expired';
  // Written before origins were kept.
  if (origin === undefined) return 'unproven';
  return (await isLeftover(options, origin)) ? 'leftover' : 'unproven';
}

async function isLeftover({ catalog, present }: JudgeOptions, { work, batches }: Origin): Promise<boolean> {
  if (work === undefined) {
    const all = [...batches.each()];
    return all.length > 0 && (await catalog.countKnown(all)) === all.length;
  }
  const fates = await catalog.fates(work.inputs);
  return work.inputs.every((id) => {
    const fate = fates.get(id);
    if (fate === undefined) return false;
    if (fate.state === 'live' && present.has(blockKey(id))) return true;
    // Rollups are kept for longer than what they were made of: that it is gone says nothing of them.
    return work.beside ? fate.rolledUp : fate.state === 'deleted' || fate.state === 'removed';
  });
}

/** The longer one, where the retention was changed; of a resolution that nobody knows the longest. */
function expiredBeforeMs({ past, retentionMs }: JudgeOptions, resolutionMs: number | undefined): number {
  const kept = (resolution: number): number =>
    Math.max(retentionMs.get(resolution) ?? 0, past.retentionMs[resolution] ?? 0);
  const longest = [...retentionMs.keys(), ...Object.keys(past.retentionMs).map(Number)].reduce(
    (most, resolution) => Math.max(most, kept(resolution)),
    0,
  );
  const own = resolutionMs === undefined ? 0 : kept(resolutionMs);
  return past.clockMs - (own === 0 ? longest : own);
}
