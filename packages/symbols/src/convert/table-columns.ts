import { NO_SOURCE, type SourceColumns } from '../source-columns.ts';
import { SymbolTable, type SymbolColumns } from '../symbol-table.ts';
import type { DebugLines } from './debug-lines.ts';
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
  lines: DebugLines | undefined,
  warnings: string[],
): SymbolColumns {
  const { systemNames } = functions;
  const firstRange = ranges.length === 0 ? Number.POSITIVE_INFINITY : ranges.starts[0]!;
  const firstLine = lines === undefined || lines.source.blockStarts.length === 0 ? firstRange : lines.base;
  const base = Number.isFinite(firstRange) ? Math.min(firstRange, firstLine) : 0;
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
    source: lines === undefined ? NO_SOURCE : sourceColumns(lines, base, functions),
  };
  nameFilesByRows(columns);
  return columns;
}

/** Rows stay as they are: their files and calls have the same numbers here. */
function sourceColumns(lines: DebugLines, base: number, functions: TableFunctions): SourceColumns {
  const { source } = lines;
  const shift = lines.base - base;
  let blocks = 0;
  // The native process has cut it to 4 GiB from its own base.
  while (blocks < source.blockStarts.length && source.blockStarts[blocks]! + shift < MAX_SPAN) blocks++;
  return {
    ...source,
    callFunctions: source.callFunctions.map((fn) => functions.ofDebug[fn]!),
    blockStarts: source.blockStarts.subarray(0, blocks).map((start) => start + shift),
    blockOffsets: source.blockOffsets.subarray(0, blocks + 1),
    rows: source.rows.subarray(0, source.blockOffsets[blocks]),
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
