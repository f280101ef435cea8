import { fstatSync, readSync } from 'node:fs';
import type { ByteSource } from '@fleetflame/elf';

/** Headers lie close together: one read of this size usually serves all of them. */
const BLOCK_BYTES = 64 * 1024;

/**
 * A file as a ByteSource, through pread. Never mmap: mapped pages count as the agent's memory, and a file that
 * is truncated under a mapping kills the process that touches it.
 */
export function fileSource(fd: number): ByteSource {
  const size = fstatSync(fd).size;
  const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, Math.max(size, 1)));
  let blockAt = 0;
  let blockLength = 0;
  return {
    size,
    read(offset, length) {
      if (length > block.length) return readFully(fd, Buffer.allocUnsafe(length), offset);
      if (offset < blockAt || offset + length > blockAt + blockLength) {
        blockAt = offset;
        blockLength = readFully(fd, block, offset).length;
      }
      const at = offset - blockAt;
      return block.subarray(at, Math.min(at + length, blockLength));
    },
  };
}

function readFully(fd: number, buffer: Buffer, offset: number): Buffer {
  let length = 0;
  while (length < buffer.length) {
    const got = readSync(fd, buffer, length, buffer.length - length, offset + length);
    if (got === 0) break;
    length += got;
  }
  return buffer.subarray(0, length);
}
