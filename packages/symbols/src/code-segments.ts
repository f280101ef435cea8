/**
 * Where a binary's code lies in its file and where its addresses say that it is: what its program headers tell. Who
 * samples a process without them knows offsets in the file only.
 */
import { elfConstants, type ElfFile } from '@fleetflame/elf';

/** A segment of code whose addresses are not its offsets: offset in the file, ELF address, bytes. */
export type CodeSegment = readonly [offset: number, address: number, size: number];

/** Binaries have one or two; more are not kept, and then none is. */
const MOST_SEGMENTS = 64;

/**
 * Empty: offsets are addresses. Undefined: the file does not say, as one that has debug information only, whose segments hold
 * nothing.
 */
export function codeSegments(file: ElfFile): readonly CodeSegment[] | undefined {
  const code = file.segments.filter(
    ({ type, flags }) => type === elfConstants.PT_LOAD && (flags & elfConstants.PF_X) !== 0,
  );
  if (code.length === 0 || code.length > MOST_SEGMENTS) return undefined;
  if (code.some(({ fileSize, memorySize }) => fileSize !== memorySize)) return undefined;
  return code
    .filter(({ offset, address }) => offset !== address)
    .map(({ offset, address, fileSize }) => [offset, address, fileSize] as const);
}

export function isCodeSegments(value: unknown): value is readonly CodeSegment[] {
  return (
    Array.isArray(value) &&
    value.length <= MOST_SEGMENTS &&
    value.every(
      (segment: unknown) =>
        Array.isArray(segment) &&
        segment.length === 3 &&
        segment.every((part: unknown) => Number.isSafeInteger(part) && Number(part) >= 0),
    )
  );
}
