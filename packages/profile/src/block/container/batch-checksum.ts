import { corrupt } from '../arrow/corrupt.ts';
import type { BatchPlace } from '../arrow/metadata.ts';
import { crc32c } from './crc32c.ts';
import { WHOLE_BATCH_BYTES } from './layout.ts';

/** Bytes of a record batch of samples that its checksum covers: its message and, of a small one, its body. */
export function checkedBytes({ metadataBytes, bodyBytes }: BatchPlace): number {
  return isReadWhole(bodyBytes) ? metadataBytes + bodyBytes : metadataBytes;
}

export function isReadWhole(bodyBytes: number): boolean {
  return bodyBytes <= WHOLE_BATCH_BYTES;
}

/** `bytes`: the checkedBytes of the batch. */
export function verifyBatch(bytes: Uint8Array, expected: number, field: string): void {
  if (crc32c(bytes) !== expected) throw corrupt(field, 'the checksum of the batch is wrong');
}
