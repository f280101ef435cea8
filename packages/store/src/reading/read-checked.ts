import { bytesSource, FleetflameError, type RangeSource } from '@fleetflame/profile';
import type { BlockEntry } from '../catalog/block-entry.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { ObjectSource } from './object-source.ts';

/**
 * What `read` makes of parts of a block. Parts that do not check out may have been changed on their way: before the
 * block is taken for damaged, it is read once more as a whole, which the object store checks and repeats by itself;
 * `reread` is told why.
 */
export async function readChecked<T>(
  objects: Pick<ObjectStore, 'get' | 'range'>,
  entry: BlockEntry,
  read: (source: RangeSource) => Promise<T>,
  reread: (error: FleetflameError) => void,
): Promise<T> {
  try {
    return await read(new ObjectSource(objects, entry.key, entry.sizeBytes));
  } catch (error) {
    if (!(error instanceof FleetflameError) || error.code !== 'corrupt_data') throw error;
    reread(error);
  }
  return await read(bytesSource(await objects.get(entry.key)));
}
