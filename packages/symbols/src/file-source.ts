import { fstatSync, readSync } from 'node:fs';
import type { ByteSource } from '@fleetflame/elf';

/** An open file as a ByteSource. */
export function fileSource(fd: number): ByteSource {
  return {
    size: fstatSync(fd).size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let read = 0;
      while (read < length) {
        const count = readSync(fd, bytes, read, length - read, offset + read);
        if (count === 0) break;
        read += count;
      }
      return bytes.subarray(0, read);
    },
  };
}
