import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import type { ObjectStore } from '../objects/object-store.ts';
import { damaged, pieceKey, sha256, type CatalogCopy } from './catalog-copy.ts';

const decompress = promisify(zstdDecompress);

/** The copy's file, whole and on the disk, as `path`, which must not be there. Throws corrupt_data. */
export async function readCopy(objects: ObjectStore, copy: CatalogCopy, path: string): Promise<void> {
  await using file = await open(path, 'wx', 0o640);
  for (const [index, piece] of copy.pieces.entries()) {
    const stored = await objects.get(pieceKey(copy.name, index));
    let bytes: Uint8Array;
    try {
      bytes = await decompress(stored, { maxOutputLength: Math.max(1, piece.sizeBytes) });
    } catch (cause) {
      throw damaged(copy.name, `piece ${index} cannot be inflated`, cause);
    }
    if (bytes.length !== piece.sizeBytes || sha256(bytes) !== piece.sha256)
      throw damaged(copy.name, `piece ${index} is not what was written`);
    await file.writeFile(bytes);
  }
  await file.sync();
}
