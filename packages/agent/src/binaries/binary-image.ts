import { ElfFile, type ByteSource } from '@fleetflame/elf';
import { contentId } from './content-id.ts';

const PT_LOAD = 1;
const PF_X = 1;

/** What is needed of a binary to make addresses of its samples: its id, and where its code lies. */
export interface BinaryImage {
  /** GNU build id, Go's content id, or contentId(): what the binary is known by everywhere. */
  readonly buildId: string;
  /** Executable PT_LOAD segments, flat: offset, end, address, offset, end, address, … */
  readonly code: Float64Array;
}

/** @throws ElfError when it is no ELF file that can be read. */
export function readBinaryImage(source: ByteSource): BinaryImage {
  const elf = ElfFile.parse(source);
  const code: number[] = [];
  for (const segment of elf.segments) {
    if (segment.type !== PT_LOAD || (segment.flags & PF_X) === 0 || segment.fileSize === 0) continue;
    code.push(segment.offset, segment.offset + segment.fileSize, segment.address);
  }
  return { buildId: elf.identity ?? contentId(source), code: Float64Array.from(code) };
}

/** The ELF virtual address of a file offset; undefined where no code is. */
export function codeAddress(image: BinaryImage, offset: number): number | undefined {
  const { code } = image;
  for (let i = 0; i < code.length; i += 3) {
    if (offset >= code[i]! && offset < code[i + 1]!) return offset - code[i]! + code[i + 2]!;
  }
  return undefined;
}
