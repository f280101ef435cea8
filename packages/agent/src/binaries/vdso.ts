import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { bufferSource } from '@fleetflame/elf';
import type { Logger } from 'pino';
import { readBinaryImage } from './binary-image.ts';

/** The code that the kernel maps into every process: an ELF image that is in no file. */
export interface Vdso {
  /** "" when it could not be read. */
  readonly buildId: string;
  /** Added to an offset into the vDSO, this is an ELF address. */
  readonly base: number;
  /** The image itself, for its symbols. */
  readonly bytes: Uint8Array;
}

export const NO_VDSO: Vdso = { buildId: '', base: 0, bytes: new Uint8Array(0) };

/** It has 8 KiB or so. */
const MAX_VDSO_BYTES = 256 * 1024;

/** Reads the vDSO of this process, which is that of every 64-bit process. */
export function readVdso(log: Logger): Vdso {
  try {
    const range = /^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$/m.exec(readFileSync('/proc/self/maps', 'latin1'));
    if (range?.[1] === undefined || range[2] === undefined) return NO_VDSO;
    const start = BigInt(`0x${range[1]}`);
    const size = Number(BigInt(`0x${range[2]}`) - start);
    const bytes = Buffer.alloc(Math.min(size, MAX_VDSO_BYTES));
    const fd = openSync('/proc/self/mem', 'r');
    try {
      readSync(fd, bytes, 0, bytes.length, start);
    } finally {
      closeSync(fd);
    }
    const image = readBinaryImage(bufferSource(bytes));
    // It is mapped as a whole, so offset and address differ by the same amount everywhere.
    return { buildId: image.buildId, base: (image.code[2] ?? 0) - (image.code[0] ?? 0), bytes };
  } catch (error) {
    log.debug({ err: error }, 'the vDSO cannot be read: its frames have no names');
    return NO_VDSO;
  }
}
