/**
 * Marks in object storage of blocks of which an erasure has left nothing: what replaced them cannot tell, since there is
 * none. With them a catalog that is made of objects does not take what was erased for data again. They name blocks, and
 * nothing of what was in them.
 *
 *   erased/BLOCK   empty
 */
import { BLOCK_PREFIX } from '../block-id.ts';
import type { ObjectStore } from '../objects/object-store.ts';

const ERASED_PREFIX = 'erased/';
/** Longer than any copy of a catalog is kept by default, and than rows of removed blocks are. */
const KEPT_MS = 8 * 86_400_000;

export async function markErased(objects: ObjectStore, id: string): Promise<void> {
  await objects.put(ERASED_PREFIX + id, new Uint8Array());
}

export async function unmarkErased(objects: ObjectStore, id: string): Promise<void> {
  await objects.delete(ERASED_PREFIX + id);
}

/** Ids of blocks. */
export async function listErased(objects: ObjectStore): Promise<string[]> {
  return (await objects.list(ERASED_PREFIX)).map((key) => key.slice(ERASED_PREFIX.length));
}

/** Marks of blocks that are long gone. `present`: keys of all objects of blocks. */
export async function pruneErased(
  objects: ObjectStore,
  present: ReadonlySet<string>,
  nowMs: number,
): Promise<void> {
  for (const id of await listErased(objects)) {
    if (present.has(BLOCK_PREFIX + id)) continue;
    const { modifiedMs } = await objects.stat(ERASED_PREFIX + id);
    if (nowMs - modifiedMs > KEPT_MS) await unmarkErased(objects, id);
  }
}
