/**
 * I5: what went into a merge equals what came out, per (profile type, service) and per cause of loss.
 * Read from the stored footers of both sides, after the output was written and before the swap.
 */
import { readFooter } from '@fleetflame/profile';
import type { BlockEntry } from '../catalog/block-entry.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { ObjectSource } from '../reading/object-source.ts';

export type DatasetSums = ReadonlyMap<string, bigint>;

/** Sums are exact in float64 up to here; beyond, the order of additions shows in the last bits. */
const EXACT = BigInt(Number.MAX_SAFE_INTEGER);
/** Relative: a million additions lose less than 2^20 of the 53 bits. */
const INEXACT_SHIFT = 33n;

export async function sumDatasets(
  objects: ObjectStore,
  entries: readonly BlockEntry[],
): Promise<DatasetSums> {
  const sums = new Map<string, bigint>();
  const add = (name: string, value: bigint): void => {
    if (value !== 0n) sums.set(name, (sums.get(name) ?? 0n) + value);
  };
  for (const entry of entries) {
    const footer = await readFooter(new ObjectSource(objects, entry.key, entry.sizeBytes));
    for (const dataset of footer.datasets) {
      add(datasetName(dataset.profileType, dataset.serviceName), dataset.total);
    }
    for (const loss of footer.losses) add(`losses by ${loss.cause}`, loss.samples);
  }
  return sums;
}

export function datasetName(profileType: string, serviceName: string): string {
  return `${profileType} of ${JSON.stringify(serviceName)}`;
}

/** Undefined: equal. Else what differs, for people. */
export function differenceOf(inputs: DatasetSums, outputs: DatasetSums): string | undefined {
  for (const name of new Set([...inputs.keys(), ...outputs.keys()])) {
    const before = inputs.get(name) ?? 0n;
    const after = outputs.get(name) ?? 0n;
    if (before === after) continue;
    const difference = before > after ? before - after : after - before;
    const size = before > 0n ? before : -before;
    if (size > EXACT && difference <= size >> INEXACT_SHIFT) continue;
    return `${name}: ${before} before, ${after} after`;
  }
  return undefined;
}
