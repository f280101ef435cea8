import type { ObjectStore } from '../objects/object-store.ts';
import { copyTimeMs, keysOfCopies, manifestKey } from './catalog-copy.ts';

/** What was not written to its end by then never will be. */
const UNFINISHED_MS = 6 * 3_600_000;

/** Leaves the newest `kept` whole copies, and what may still be written. Returns how many went. */
export async function pruneCopies(objects: ObjectStore, kept: number, nowMs: number): Promise<number> {
  const all = await keysOfCopies(objects);
  const isWhole = (name: string): boolean => all.get(name)?.includes(manifestKey(name)) === true;
  const whole = [...all.keys()].filter(isWhole);
  const old = whole.slice(0, Math.max(0, whole.length - kept));
  const broken = [...all.keys()].filter(
    (name) => !isWhole(name) && nowMs - (copyTimeMs(name) ?? nowMs) > UNFINISHED_MS,
  );
  for (const name of [...old, ...broken]) {
    // First what makes it a copy.
    await objects.delete(manifestKey(name));
    for (const key of all.get(name) ?? []) if (key !== manifestKey(name)) await objects.delete(key);
  }
  return old.length;
}
