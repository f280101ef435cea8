/** The origin of what a merge, a rollup or an erasure writes, from those of its inputs. */
import { randomBytes } from 'node:crypto';
import { bytesSource } from '@fleetflame/profile';
import { blockCreatedMs } from '../block-id.ts';
import type { BlockEntry } from '../catalog/block-entry.ts';
import { BatchRanges } from './batch-ranges.ts';
import { readOrigin, type Origin } from './origin.ts';

/** Longer than REMEMBER_BATCHES_MS: of those that were written before, no repeat is taken. */
const BATCHES_MS = 27 * 3_600_000;
/**
 * Objects of what was replaced are removed after a quarter of an hour, and what a work that died has left after an hour
 * and a sweep: of what is older than this none is there any more.
 */
const REPLACED_MS = 4 * 3_600_000;

/** `bytes`: the inputs' objects. Returns the origin of the output `index` of `outputs`. */
export async function originOfWork(
  inputs: readonly BlockEntry[],
  bytes: readonly Uint8Array[],
  { nowMs, beside }: { readonly nowMs: number; readonly beside: boolean },
): Promise<(index: number, outputs: number) => Omit<Origin, 'place'>> {
  const origins: Origin[] = [];
  for (const one of bytes) {
    const origin = await readOrigin(bytesSource(one));
    if (origin !== undefined) origins.push(origin);
  }
  const replaced = origins
    .flatMap(({ work }) =>
      work === undefined || work.beside ? (work?.replaced ?? []) : [...work.inputs, ...work.replaced],
    )
    .filter((id) => nowMs - blockCreatedMs(id) < REPLACED_MS);
  const batches = BatchRanges.union(
    origins.map((origin) => origin.batches),
    nowMs - BATCHES_MS,
  );
  const work = {
    id: randomBytes(8).toString('hex'),
    inputs: inputs.map(({ id }) => id),
    replaced: [...new Set(replaced)],
    beside,
  };
  return (index, outputs) => ({
    work: { ...work, outputs },
    // A rollup says nothing new of them.
    batches: index === 0 && !beside ? batches : BatchRanges.none,
  });
}
