/**
 * Interns what the samples of a block refer to, and says where its series and stacks went. Rows
 * that no sample refers to are left behind, but for series of profiles without samples; their entries in the maps are meaningless.
 */
import type { Block } from '../block.ts';
import type { StringTable } from '../string-table.ts';
import type { ProfileList } from './profile-list.ts';
import {
  LINE_WORDS,
  LOCATION_HEAD,
  SERIES_HEAD,
  periodWords,
  type InternedTables,
} from './interned-tables.ts';

export interface BlockMap {
  readonly series: Uint32Array;
  readonly stack: Uint32Array;
}

/** Not yet interned; no table has this many rows. */
const UNMAPPED = 0xffff_ffff;

/** `profiles`: takes what the series were taken from. */
export function remapBlock(tables: InternedTables, block: Block, profiles: ProfileList): BlockMap {
  const seriesUsed = new Uint8Array(block.series.length);
  const stackUsed = new Uint8Array(block.stacks.length);
  for (let row = 0; row < block.samples.length; row++) {
    seriesUsed[block.samples.series[row]!] = 1;
    stackUsed[block.samples.stack[row]!] = 1;
  }
  const { profileStart } = block.series;
  for (let row = 0; row < seriesUsed.length; row++) {
    if (profileStart[row] !== profileStart[row + 1]) seriesUsed[row] = 1;
  }
  const string = stringMapper(tables, block.strings);
  return {
    series: mapSeries({ tables, profiles }, block, seriesUsed, string),
    stack: mapStacks(tables, block, stackUsed, string),
  };
}

type StringMapper = (index: number) => number;

function stringMapper(tables: InternedTables, strings: StringTable): StringMapper {
  const { bytes, starts, length } = strings;
  const map = new Uint32Array(length).fill(UNMAPPED);
  return (index) => {
    const known = map[index]!;
    return known === UNMAPPED
      ? (map[index] = tables.strings.intern(bytes, starts[index]!, starts[index + 1]!))
      : known;
  };
}

function mapSeries(
  { tables, profiles }: { readonly tables: InternedTables; readonly profiles: ProfileList },
  { series, timeStartMs }: Block,
  used: Uint8Array,
  string: StringMapper,
): Uint32Array {
  const map = new Uint32Array(series.length);
  let scratch = new Uint32Array(64);
  for (let row = 0; row < series.length; row++) {
    if (used[row] === 0) continue;
    const start = series.labelStart[row]!;
    const end = series.labelStart[row + 1]!;
    const size = SERIES_HEAD + 2 * (end - start);
    if (size > scratch.length) scratch = new Uint32Array(size * 2);
    scratch[0] = string(series.profileType[row]!);
    [scratch[1], scratch[2]] = periodWords(series.period[row]!);
    scratch[3] = series.kind[row]!;
    for (let label = start, at = SERIES_HEAD; label < end; label++, at += 2) {
      scratch[at] = string(series.labelName[label]!);
      scratch[at + 1] = string(series.labelValue[label]!);
    }
    map[row] = tables.series(scratch, size);
    for (let at = series.profileStart[row]!; at < series.profileStart[row + 1]!; at++) {
      const timeMs = timeStartMs + series.profileTime[at]!;
      profiles.add(map[row]!, timeMs, series.profileDuration[at]!, series.profileCount[at]!);
    }
  }
  return map;
}

function mapStacks(
  tables: InternedTables,
  block: Block,
  used: Uint8Array,
  string: StringMapper,
): Uint32Array {
  const { stacks } = block;
  // Children come after their parents: one backward pass marks every ancestor.
  for (let row = stacks.length - 1; row > 0; row--) {
    if (used[row] === 1) used[stacks.parent[row]!] = 1;
  }
  const { parent, location } = stacks;
  const mapLocation = locationMapper(tables, block, string);
  const locationMap = new Uint32Array(block.locations.length).fill(UNMAPPED);
  const map = new Uint32Array(stacks.length);
  for (let row = 1; row < stacks.length; row++) {
    if (used[row] === 0) continue;
    const old = location[row]!;
    let mapped = locationMap[old]!;
    if (mapped === UNMAPPED) mapped = locationMap[old] = mapLocation(old);
    map[row] = tables.stack(map[parent[row]!]!, mapped);
  }
  return map;
}

function locationMapper(
  tables: InternedTables,
  block: Block,
  string: StringMapper,
): (index: number) => number {
  const { locations, mappings, functions } = block;
  const words = new Uint32Array(locations.address.buffer, locations.address.byteOffset, 2 * locations.length);
  const mappingMap = new Uint32Array(mappings.length).fill(UNMAPPED);
  const functionMap = new Uint32Array(functions.length).fill(UNMAPPED);
  let scratch = new Uint32Array(64);

  return (row) => {
    const start = locations.lineStart[row]!;
    const end = locations.lineStart[row + 1]!;
    const size = LOCATION_HEAD + LINE_WORDS * (end - start);
    if (size > scratch.length) scratch = new Uint32Array(size * 2);
    scratch[0] = mapMapping(locations.mapping[row]!);
    scratch[1] = words[2 * row]!;
    scratch[2] = words[2 * row + 1]!;
    for (let line = start, at = LOCATION_HEAD; line < end; line++, at += LINE_WORDS) {
      scratch[at] = mapFunction(locations.lineFunction[line]!);
      scratch[at + 1] = locations.lineNumber[line]!;
      scratch[at + 2] = locations.lineColumn[line]!;
    }
    return tables.location(scratch, size);
  };

  function mapMapping(row: number): number {
    const known = mappingMap[row]!;
    if (known !== UNMAPPED) return known;
    const { file, buildId, kind } = mappings;
    return (mappingMap[row] = tables.mapping(string(file[row]!), string(buildId[row]!), kind[row]!));
  }

  function mapFunction(row: number): number {
    const known = functionMap[row]!;
    if (known !== UNMAPPED) return known;
    const { name, systemName, filename, startLine } = functions;
    return (functionMap[row] = tables.function(
      string(name[row]!),
      string(systemName[row]!),
      string(filename[row]!),
      startLine[row]!,
    ));
  }
}
