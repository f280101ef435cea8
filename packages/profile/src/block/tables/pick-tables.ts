/**
 * The part of interned tables that some samples refer to, as the tables of a block. An open segment's
 * tables outlive the segment, so that names, functions and stacks which come again and again are interned
 * once; what the segment at hand uses is picked here, by row numbers alone.
 *
 * Stacks keep their order, and with it parents their place before children; the rows of the other tables
 * come in the order in which stacks name them.
 */
import type { Block, SeriesTable } from '../block.ts';
import { StringTable } from '../string-table.ts';
import { LINE_WORDS, LOCATION_HEAD, type InternedTables } from './interned-tables.ts';
import { RowPicker } from './row-picker.ts';

export type PickedTables = Pick<Block, 'strings' | 'stacks' | 'locations' | 'functions' | 'mappings'> & {
  readonly series: SeriesTable;
  /** New row of each stack that was used; the others' entries mean nothing. */
  readonly stackMap: Uint32Array;
};

/** `used`: stacks of the samples; `series`: in order, with the strings of `tables`. */
export function pickTables(tables: InternedTables, used: Uint32Array, series: SeriesTable): PickedTables {
  const strings = new RowPicker(tables.strings.length);
  strings.pick(0);
  const mapStrings = (column: Uint32Array): Uint32Array => column.map((string) => strings.pick(string));
  const pickedSeries = {
    ...series,
    profileType: mapStrings(series.profileType),
    labelName: mapStrings(series.labelName),
    labelValue: mapStrings(series.labelValue),
  };
  const locations = new RowPicker(tables.locationCount);
  const { stacks, stackMap } = pickStacks(tables, used, locations);
  const functions = new RowPicker(tables.functionCount);
  const mappings = new RowPicker(tables.mappingCount);
  mappings.pick(0);
  return {
    series: pickedSeries,
    stackMap,
    stacks,
    locations: pickLocations(tables, locations.order(), mappings, functions),
    functions: pickFunctions(tables, functions.order(), strings),
    mappings: pickMappings(tables, mappings.order(), strings),
    // Last: all the others name strings.
    strings: pickStrings(tables, strings),
  };
}

function pickStacks(
  tables: InternedTables,
  used: Uint32Array,
  locations: RowPicker,
): { stacks: Block['stacks']; stackMap: Uint32Array } {
  const rows = tables.stackRows();
  const stackMap = new Uint32Array(tables.stackCount);
  let last = 0;
  for (let i = 0; i < used.length; i++) {
    const row = used[i]!;
    stackMap[row] = 1;
    if (row > last) last = row;
  }
  let count = 1;
  for (let row = last; row > 0; row--) {
    if (stackMap[row] === 0) continue;
    count++;
    stackMap[rows[2 * row]! - 1] = 1;
  }
  const parent = new Uint32Array(count);
  const location = new Uint32Array(count);
  stackMap[0] = 0;
  for (let row = 1, next = 1; row <= last; row++) {
    if (stackMap[row] === 0) continue;
    parent[next] = stackMap[rows[2 * row]! - 1]!;
    location[next] = locations.pick(rows[2 * row + 1]!);
    stackMap[row] = next++;
  }
  return { stacks: { length: count, parent, location }, stackMap };
}

function pickLocations(
  tables: InternedTables,
  order: Uint32Array,
  mappings: RowPicker,
  functions: RowPicker,
): Block['locations'] {
  const { data, starts } = tables.locationRows();
  const { length } = order;
  let lines = 0;
  for (let i = 0; i < length; i++)
    lines += (starts[order[i]! + 1]! - starts[order[i]!]! - LOCATION_HEAD) / LINE_WORDS;
  const mapping = new Uint32Array(length);
  const address = new BigUint64Array(length);
  const words = new Uint32Array(address.buffer);
  const lineStart = new Uint32Array(length + 1);
  const lineFunction = new Uint32Array(lines);
  const lineNumber = new Uint32Array(lines);
  const lineColumn = new Uint32Array(lines);
  for (let i = 0, line = 0; i < length; i++) {
    const start = starts[order[i]!]!;
    const end = starts[order[i]! + 1]!;
    mapping[i] = mappings.pick(data[start]!);
    words[2 * i] = data[start + 1]!;
    words[2 * i + 1] = data[start + 2]!;
    for (let at = start + LOCATION_HEAD; at < end; at += LINE_WORDS) {
      lineFunction[line] = functions.pick(data[at]!);
      lineNumber[line] = data[at + 1]!;
      lineColumn[line++] = data[at + 2]!;
    }
    lineStart[i + 1] = line;
  }
  return { length, mapping, address, lineStart, lineFunction, lineNumber, lineColumn };
}

function pickFunctions(tables: InternedTables, order: Uint32Array, strings: RowPicker): Block['functions'] {
  const rows = tables.functionRows();
  const { length } = order;
  const name = new Uint32Array(length);
  const systemName = new Uint32Array(length);
  const filename = new Uint32Array(length);
  const startLine = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    const at = 4 * order[i]!;
    name[i] = strings.pick(rows[at]!);
    systemName[i] = strings.pick(rows[at + 1]!);
    filename[i] = strings.pick(rows[at + 2]!);
    startLine[i] = rows[at + 3]!;
  }
  return { length, name, systemName, filename, startLine };
}

function pickMappings(tables: InternedTables, order: Uint32Array, strings: RowPicker): Block['mappings'] {
  const rows = tables.mappingRows();
  const { length } = order;
  const file = new Uint32Array(length);
  const buildId = new Uint32Array(length);
  const kind = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const at = 3 * order[i]!;
    file[i] = strings.pick(rows[at]!);
    buildId[i] = strings.pick(rows[at + 1]!);
    kind[i] = rows[at + 2]!;
  }
  return { length, file, buildId, kind };
}

function pickStrings(
  { strings: { bytes: from, starts: old } }: InternedTables,
  picked: RowPicker,
): StringTable {
  const order = picked.order();
  const starts = new Uint32Array(order.length + 1);
  for (let i = 0; i < order.length; i++) starts[i + 1] = starts[i]! + old[order[i]! + 1]! - old[order[i]!]!;
  const bytes = new Uint8Array(starts[order.length]!);
  for (let i = 0; i < order.length; i++) {
    // Names are short: a loop beats a view and a call.
    for (let at = starts[i]!, own = old[order[i]!]!; at < starts[i + 1]!; at++) bytes[at] = from[own++]!;
  }
  return new StringTable(bytes, starts);
}
