import type { ForeignFile, ForeignFiles, ForeignProblem } from '@fleetflame/bpf';
import type { ByteSource } from '@fleetflame/elf';

/** Headers lie close together: one read of this size usually serves all of them. */
const BLOCK_BYTES = 64 * 1024;

/** A file that was open could not be read on. */
export class ForeignFileError extends Error {
  override readonly name = 'ForeignFileError';
  readonly problem: ForeignProblem;

  constructor(problem: ForeignProblem) {
    super(problem === 'hung' ? 'its file system does not answer' : `it cannot be read (${problem})`);
    this.problem = problem;
  }
}

/** An open file of somebody else as a ByteSource. @throws ForeignFileError by its reads */
export function foreignSource(files: ForeignFiles, file: ForeignFile): ByteSource {
  const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, Math.max(file.size, 1)));
  let blockAt = 0;
  let blockLength = 0;
  const readInto = (out: Buffer, offset: number): number => {
    const got = files.read(file, out, offset);
    if (typeof got === 'string') throw new ForeignFileError(got);
    return got;
  };
  return {
    size: file.size,
    read(offset, length) {
      if (length > block.length) {
        const whole = Buffer.allocUnsafe(length);
        return whole.subarray(0, readInto(whole, offset));
      }
      if (offset < blockAt || offset + length > blockAt + blockLength) {
        blockAt = offset;
        blockLength = 0;
        blockLength = readInto(block, offset);
      }
      const at = offset - blockAt;
      return block.subarray(at, Math.min(at + length, blockLength));
    },
  };
}
