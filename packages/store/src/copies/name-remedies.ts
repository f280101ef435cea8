/** What helps where a catalog is lost or damaged, in words: with how old the newest copy is, where there is one. */
import { FleetflameError } from '@fleetflame/profile';
import type { CatalogConfig } from '../catalog/open-catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { copyTimeMs, listCopies } from './catalog-copy.ts';

export async function nameRemedies(
  objects: ObjectStore,
  engine: CatalogConfig['engine'],
  nowMs: number,
): Promise<string> {
  const adopt =
    'fleetflame store adopt --yes makes a catalog anew from what the objects tell. Both with the servers stopped, and the settings of this one: docs/deployment.md.';
  if (engine !== 'sqlite') {
    return `fleetflame store restore-catalog says which backup of the database to restore; without one, ${adopt}`;
  }
  let names: readonly string[];
  try {
    names = await listCopies(objects);
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    return `fleetflame store restore-catalog --yes puts the newest copy back that is in object storage (which cannot be listed now); without one, ${adopt}`;
  }
  const [newest] = names;
  if (newest === undefined) {
    return `fleetflame store restore-catalog --yes would put a copy back, but there is none in object storage: ${adopt}`;
  }
  const age = ageText(nowMs - (copyTimeMs(newest) ?? nowMs));
  return `fleetflame store restore-catalog --yes puts the newest copy back (${newest}, ${age} old) and adds what was written since; without copies, ${adopt}`;
}

/** A damaged catalog: the error of opening it, and what helps. */
export async function withRemedies<T>(opening: Promise<T>, remedies: () => Promise<string>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof FleetflameError) || error.code !== 'corrupt_data') throw error;
    throw new FleetflameError('corrupt_data', `${error.message} What helps: ${await remedies()}`, {
      cause: error,
    });
  }
}

export function ageText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return `${minutes} ${minutes === 1 ? 'minute' : 'minutes'}`;
  const hours = Math.round(ms / 3_600_000);
  return hours < 48 ? `${hours} hours` : `${Math.round(ms / 86_400_000)} days`;
}
