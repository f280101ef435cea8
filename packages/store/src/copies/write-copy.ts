import { open, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import type { ObjectStore } from '../objects/object-store.ts';
import {
  encodeManifest,
  manifestKey,
  newCopyName,
  pieceKey,
  sha256,
  type CatalogCopy,
  type CopyPiece,
} from './catalog-copy.ts';
import { takeSnapshot } from './take-snapshot.ts';

const compress = promisify(zstdCompress);

/** Of the file, in one object: what is in memory at a time, twice. */
export const PIECE_BYTES = 16 << 20;

/**
 * Copies the SQLite catalog at `path` into `objects`; readers and writers of it go on. Needs as much room beside it as
 * the catalog takes, for a while.
 */
export async function writeCopy(objects: ObjectStore, path: string, nowMs: number): Promise<CatalogCopy> {
  const scratch = `${path}.copy`;
  // What a copy that was broken off has left.
  await rm(scratch, { force: true });
  try {
    const snapshot = await takeSnapshot({ from: path, to: scratch });
    const name = newCopyName(nowMs);
    const pieces: CopyPiece[] = [];
    let storedBytes = 0;
    await using file = await open(scratch);
    for (;;) {
      const buffer = new Uint8Array(PIECE_BYTES);
      let read = 0;
      while (read < PIECE_BYTES) {
        const { bytesRead } = await file.read(buffer, read, PIECE_BYTES - read);
        if (bytesRead === 0) break;
        read += bytesRead;
      }
      if (read === 0) break;
      const bytes = buffer.subarray(0, read);
      const stored = await compress(bytes);
      await objects.put(pieceKey(name, pieces.length), stored);
      pieces.push({ sizeBytes: read, sha256: sha256(bytes) });
      storedBytes += stored.length;
    }
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0);
    const copy: CatalogCopy = { name, createdMs: nowMs, sizeBytes, storedBytes, pieces, ...snapshot };
    await objects.put(manifestKey(name), encodeManifest(copy));
    return copy;
  } finally {
    await rm(scratch, { force: true });
  }
}
