import { NO_SOURCE, type SourceColumns } from '../source-columns.ts';
import { SymbolTable, type SymbolColumns } from '../symbol-table.ts';
import type { LineSource } from './line-sink.ts';
import type { Ranges } from './resolve-ranges.ts';
import { StringColumn } from './string-column.ts';
import type { TableFunctions } from './table-functions.ts';

/** Addresses are stored as 32 bits from the first. */
const MAX_SPAN = 0x1_0000_0000;

/** The columns of a table; `names`: for people, undefined where they are the names in the binary. */
export function tableColumns(
  ranges: Ranges,
  functions: TableFunctions,
  names: readonly (string | undefined)[],
  files: readonly string[],
  sources: readonly LineSource[],
  warnings: string[],
): SymbolColumns {
  const { systemNames } = functions;
  const firsts = sources.filter(({ source }) => source.blockStarts.length > 0).map((one) => one.base);
  const base = ranges.length === 0 ? 0 : Math.min(ranges.starts[0]!, ...firsts);
  let count = 0;
  while (count < ranges.length && ranges.ends[count]! - base < MAX_SPAN) count++;
  if (count < ranges.length) {
    warnings.push(`${ranges.length - count} ranges lie more than 4 GiB behind the first: they are left out`);
  }
  const strings = new StringColumn();
  const nameOffsets = strings.addAll(systemNames.length, (index) => names[index] ?? systemNames[index] ?? '');
  const systemNameOffsets = strings.addAll(systemNames.length, (index) =>
    names[index] === undefined ? '' : (systemNames[index] ?? ''),
  );
  const fileOffsets = strings.addAll(files.length, (index) => files[index] ?? '');
  const columns = {
    base,
    starts: Uint32Array.from({ length: count }, (_, range) => ranges.starts[range]! - base),
    lengths: Uint32Array.from({ length: count }, (_, range) => ranges.ends[range]! - ranges.starts[range]!),
    functions: functions.ofRange.subarray(0, count),
    nameOffsets,
    systemNameOffsets,
    files: Uint32Array.from(functions.files),
    lines: Uint32Array.from(functions.lines),
    fileOffsets,
    strings: strings.bytes(),
    source: sourceColumns(sources, base, functions),
  };
  nameFilesByRows(columns);
  return columns;
}

/**
 * Blocks of all sources by address; they do not overlap, and only the first source has calls. Rows stay as they are:
 * their files and calls have the same numbers here.
 */
function sourceColumns(
  sources: readonly LineSource[],
  base: number,
  functions: TableFunctions,
): SourceColumns {
  const starts: Float64Array[] = sources.map((one) =>
    Float64Array.from(one.source.blockStarts, (start) => start + (one.base - base)),
  );
  const total = starts.reduce((sum, one) => sum + one.length, 0);
  const rowBytes = sources.reduce((sum, one) => sum + one.source.rows.length, 0);
  const blockStarts = new Uint32Array(total);
  const blockOffsets = new Uint32Array(total + 1);
  const rows = new Uint8Array(rowBytes);
  const next = sources.map(() => 0);
  let blocks = 0;
  let at = 0;
  while (blocks < total) {
    let from = -1;
    for (let one = 0; one < sources.length; one++) {
      const start = starts[one]![next[one]!];
      if (start !== undefined && (from < 0 || start < starts[from]![next[from]!]!)) from = one;
    }
    const block = next[from]!++;
    const { blockOffsets: offsets, rows: bytes } = sources[from]!.source;
    const start = starts[from]![block]!;
    if (start >= MAX_SPAN) break;
    blockStarts[blocks++] = start;
    const piece = bytes.subarray(offsets[block], offsets[block + 1]);
    rows.set(piece, at);
    at += piece.length;
    blockOffsets[blocks] = at;
  }
  const calls = sources[0]?.source ?? NO_SOURCE;
  return {
    callFunctions: calls.callFunctions.map((fn) => functions.ofDebug[fn]!),
    callParents: calls.callParents,
    callFiles: calls.callFiles,
    callLines: calls.callLines,
    blockStarts: blockStarts.subarray(0, blocks),
    blockOffsets: blockOffsets.subarray(0, blocks + 1),
    rows: rows.subarray(0, at),
  };
}

/** Assembly code has lines but no entry for its functions: there the line at its beginning is the first. */
function nameFilesByRows(columns: SymbolColumns): void {
  const table = new SymbolTable(columns);
  const { starts, functions, files, lines, base } = columns;
  const position = { call: 0, file: 0, line: 0 };
  for (let range = 0; range < starts.length; range++) {
    const fn = functions[range]!;
    if (files[fn] !== 0) continue;
    table.locate(base + starts[range]!, position);
    if (position.call !== 0 || position.file === 0) continue;
    files[fn] = position.file;
    lines[fn] = position.line;
  }
}
