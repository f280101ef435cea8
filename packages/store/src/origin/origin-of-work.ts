/** The origin of what a merge, a rollup or an erasure writes, from those of its inputs. */
import { randomBytes } from 'node:crypto';
import { bytesSource } from '@fleetflame/profile';
import { blockCreatedMs } from '../block-id.ts';
import type { BlockEntry } from '../catalog/block-entry.ts';
import { BatchRanges } from './batch-ranges.ts';
import { readOrigin, type Origin, type Replaced } from './origin.ts';

/** Longer than REMEMBER_BATCHES_MS: of those that were written before, no repeat is taken. */
const BATCHES_MS = 27 * 3_600_000;
/**
 * A catalog that is put back from a copy names blocks that were replaced since: what took their place has to say so. The
 * copies of a catalog that are kept by default are four hours old at most.
 */
const REPLACED_MS = 5 * 3_600_000;

/** `bytes`: the inputs' objects. Returns the origin of the output `index` of `outputs`. */
export async function originOfWork(
  inputs: readonly BlockEntry[],
  bytes: readonly Uint8Array[],
  { nowMs, beside }: { readonly nowMs: number; readonly beside: boolean },
): Promise<(index: number, outputs: number) => Omit<Origin, 'place'>> {
  const origins: Origin[] = [];
  const replaced = new Map<string, Replaced>();
  for (const [at, one] of bytes.entries()) {
    const origin = await readOrigin(bytesSource(one));
    if (origin === undefined) continue;
    origins.push(origin);
    const { work } = origin;
    const input = inputs[at];
    if (work === undefined || input === undefined) continue;
    const atMs = blockCreatedMs(input.id);
    const its = work.beside ? [] : work.inputs.map((id): Replaced => ({ id, atMs }));
    for (const known of [...work.replaced, ...its]) {
      if (nowMs - known.atMs < REPLACED_MS) replaced.set(known.id, known);
    }
  }
  const batches = BatchRanges.union(
    origins.map((origin) => origin.batches),
    nowMs - BATCHES_MS,
  );
  const work = {
    id: randomBytes(8).toString('hex'),
    inputs: inputs.map(({ id }) => id),
    replaced: [...replaced.values()],
    beside,
  };
  return (index, outputs) => ({
    work: { ...work, outputs },
    // A rollup says nothing new of them.
    batches: index === 0 && !beside ? batches : BatchRanges.none,
  });
}
