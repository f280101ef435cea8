/** What native/debug-lines found in a binary's debug information: columns, checked before anything is made of them. */
import { ElfError } from '@fleetflame/elf';
import { checkSource } from '../check-source.ts';
import type { SourceColumns } from '../source-columns.ts';

export interface DebugLines {
  /** ELF virtual address from which `rangeStarts` and `source.blockStarts` count. */
  readonly base: number;
  /** Pieces of functions; they may overlap. */
  readonly rangeStarts: Uint32Array;
  readonly rangeLengths: Uint32Array;
  readonly rangeFunctions: Uint32Array;
  /** Of each function: where its name in the binary begins in `strings`. */
  readonly functionNames: Uint32Array;
  /** Its name for people, where that is another one; otherwise the place of an empty text. */
  readonly functionShownNames: Uint32Array;
  /** Index of the file plus 1, 0 where unknown. */
  readonly functionFiles: Uint32Array;
  readonly functionLines: Uint32Array;
  readonly source: SourceColumns;
  /** Places in `strings`. */
  readonly files: Uint32Array;
  /** Zero-ended. */
  readonly strings: Buffer;
  readonly notes: ReadonlyMap<string, string>;
}

const MAGIC = 'FFDWLINE';
const VERSION = 1;
export const LINES_HEADER_BYTES = 56;

interface Counts {
  readonly ranges: number;
  readonly functions: number;
  readonly calls: number;
  readonly blocks: number;
  readonly files: number;
  readonly rowBytes: number;
  readonly stringBytes: number;
  readonly noteBytes: number;
}

/** @throws ElfError: a library that reads broken files may give broken results */
function broken(what: string): ElfError {
  return new ElfError(`what was read of it is broken: ${what}`);
}

function countsOf(header: DataView): Counts {
  const magic = Buffer.from(header.buffer, header.byteOffset, 8).toString('latin1');
  if (magic !== MAGIC || header.getUint32(8, true) !== VERSION) throw broken('no header');
  const at = (index: number): number => header.getUint32(12 + index * 4, true);
  return {
    ranges: at(0),
    functions: at(1),
    calls: at(2),
    blocks: at(3),
    files: at(4),
    rowBytes: at(5),
    stringBytes: at(6),
    noteBytes: at(7),
  };
}

/** How long all is, from its header. */
export function debugLinesBytes(header: Uint8Array): number {
  const counts = countsOf(new DataView(header.buffer, header.byteOffset, header.byteLength));
  const { ranges, functions, calls, blocks, files } = counts;
  const words = ranges * 3 + functions * 4 + calls * 4 + blocks * 2 + files;
  return LINES_HEADER_BYTES + words * 4 + counts.rowBytes + counts.stringBytes + counts.noteBytes;
}

/** @throws ElfError */
export function parseDebugLines(bytes: Uint8Array): DebugLines {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const counts = countsOf(header);
  if (bytes.length !== debugLinesBytes(bytes)) throw broken('its length');
  let at = bytes.byteOffset + LINES_HEADER_BYTES;
  const take = (length: number): Uint32Array => {
    const column = new Uint32Array(bytes.buffer, at, length);
    at += length * 4;
    return column;
  };
  const takeBytes = (length: number): Buffer => {
    const piece = Buffer.from(bytes.buffer, at, length);
    at += length;
    return piece;
  };
  const words = {
    rangeStarts: take(counts.ranges),
    rangeLengths: take(counts.ranges),
    rangeFunctions: take(counts.ranges),
    functionNames: take(counts.functions),
    functionShownNames: take(counts.functions),
    functionFiles: take(counts.functions),
    functionLines: take(counts.functions),
  };
  const calls = {
    callFunctions: take(counts.calls),
    callParents: take(counts.calls),
    callFiles: take(counts.calls),
    callLines: take(counts.calls),
  };
  const blockStarts = take(counts.blocks);
  const blockOffsets = offsetsOf(take(counts.blocks));
  const files = take(counts.files);
  const rows = takeBytes(counts.rowBytes);
  const strings = takeBytes(counts.stringBytes);
  const notes = takeBytes(counts.noteBytes).toString('utf8');
  const lines: DebugLines = {
    ...words,
    base: Number(header.getBigUint64(48, true)),
    source: { ...calls, blockStarts, blockOffsets, rows },
    files,
    strings,
    notes: new Map(
      notes.split('\n').map((line) => {
        const space = line.indexOf(' ');
        return [line.slice(0, Math.max(0, space)), line.slice(space + 1)];
      }),
    ),
  };
  check(lines);
  return lines;
}

function offsetsOf(lengths: Uint32Array): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1);
  for (let index = 0; index < lengths.length; index++) offsets[index + 1] = offsets[index]! + lengths[index]!;
  return offsets;
}

function check(lines: DebugLines): void {
  const { functionNames, functionFiles, files, strings } = lines;
  if (!Number.isSafeInteger(lines.base + 2 ** 33)) throw broken('addresses beyond 2^53');
  const within = (numbers: Uint32Array, limit: number, what: string): void => {
    for (const number of numbers) if (number >= limit) throw broken(what);
  };
  within(lines.rangeFunctions, functionNames.length, 'a range of no function');
  within(functionNames, strings.length, 'a name outside');
  within(lines.functionShownNames, strings.length, 'a name outside');
  within(files, strings.length, 'a path outside');
  within(functionFiles, files.length + 1, 'a function of no file');
  const problem = checkSource(lines.source, functionNames.length, files.length);
  if (problem !== undefined) throw broken(problem);
}
