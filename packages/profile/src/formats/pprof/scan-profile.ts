import type { GrowableU32 } from '../../block/tables/growable.ts';
import type { ImportChanges } from '../import-changes.ts';
import { PROFILE, VALUE_TYPE } from './fields.ts';
import type { PprofLimits } from './limits.ts';
import { PprofStrings } from './pprof-strings.ts';
import { scratch } from './scratch.ts';
import { WIRE } from './wire-reader.ts';
import type { WireReader } from './wire-reader.ts';

/** A type and a unit as indices into the string table. */
export interface RawValueType {
  type: number;
  unit: number;
}

/**
 * Where everything lies in a profile. Fields may come in any order, and writers put the strings last,
 * so the top level is read once to find the tables; rows are the offsets of their lengths.
 */
export interface ProfileLayout {
  readonly sampleTypes: readonly RawValueType[];
  readonly periodType: RawValueType;
  readonly samples: Uint32Array;
  readonly mappings: Uint32Array;
  readonly locations: Uint32Array;
  readonly functions: Uint32Array;
  readonly strings: PprofStrings;
  readonly timeNanos: bigint;
  readonly durationNanos: bigint;
  readonly period: number;
  readonly dropFrames: string;
  readonly keepFrames: string;
  /** The sample type that tools should show first; "" where the profile does not say. */
  readonly defaultSampleType: string;
}

export function scanProfile(reader: WireReader, limits: PprofLimits, changes: ImportChanges): ProfileLayout {
  const sampleTypes: RawValueType[] = [];
  const periodType: RawValueType = { type: 0, unit: 0 };
  const samples = scratch.growable();
  const mappings = scratch.growable();
  const locations = scratch.growable();
  const functions = scratch.growable();
  const strings = new PprofStrings(reader.bytes, limits.stringBytes, changes);
  let dropFrames = 0;
  let keepFrames = 0;
  let defaultSampleType = 0;
  let timeNanos = 0n;
  let durationNanos = 0n;
  let period = 0;

  while (reader.more()) {
    const padding = reader.padding();
    if (padding > 0) {
      changes.note('trailing_bytes', `${padding} bytes`, padding);
      break;
    }
    reader.table = '';
    reader.row = -1;
    reader.field = '';
    switch (reader.tag()) {
      case PROFILE.sampleType: {
        const type = { type: 0, unit: 0 };
        at(reader, 'sample_type', sampleTypes.length);
        if (sampleTypes.length === limits.sampleTypes) {
          throw reader.tooMany('sampleTypes', 'sample types', limits.sampleTypes);
        }
        readValueType(reader, type);
        sampleTypes.push(type);
        break;
      }
      case PROFILE.sample:
        note(reader, 'sample', samples, 'samples', limits.samples);
        break;
      case PROFILE.mapping:
        note(reader, 'mapping', mappings, 'mappings', limits.mappings);
        break;
      case PROFILE.location:
        note(reader, 'location', locations, 'locations', limits.locations);
        break;
      case PROFILE.function:
        note(reader, 'function', functions, 'functions', limits.functions);
        break;
      case PROFILE.stringTable:
        at(reader, 'string_table', strings.length);
        if (strings.length === limits.strings) throw reader.tooMany('strings', 'strings', limits.strings);
        noteString(reader, strings);
        break;
      case PROFILE.timeNanos:
        reader.field = 'time_nanos';
        timeNanos = reader.int64(reader.uint());
        break;
      case PROFILE.durationNanos:
        reader.field = 'duration_nanos';
        durationNanos = reader.int64(reader.uint());
        break;
      case PROFILE.periodType:
        reader.table = 'period_type';
        readValueType(reader, periodType);
        break;
      case PROFILE.period:
        reader.field = 'period';
        period = readPeriod(reader, changes);
        break;
      case PROFILE.dropFrames:
        reader.field = 'drop_frames';
        dropFrames = readStringIndex(reader);
        break;
      case PROFILE.keepFrames:
        reader.field = 'keep_frames';
        keepFrames = readStringIndex(reader);
        break;
      case PROFILE.defaultSampleType:
        reader.field = 'default_sample_type';
        defaultSampleType = readStringIndex(reader);
        break;
      default:
        reader.skip();
    }
  }

  at(reader, 'string_table', -1);
  // Most writers put it last.
  if (strings.length === 0) {
    throw reader.broken('there is no string table: the file is cut off, or not a pprof profile');
  }
  // Index 0 means "none" wherever it stands.
  const first = strings.first();
  if (first !== '') changes.note('string_missing', `string 0 must be empty, it is ${first}`);
  const known = (field: string, index: number): number => {
    reader.table = field;
    return knownString(reader, index, strings.length, changes);
  };
  reader.row = -1;
  for (const [row, type] of sampleTypes.entries()) checkSampleType(reader, row, type, strings.length);
  at(reader, 'period_type', -1);
  periodType.type = known('period_type', periodType.type);
  periodType.unit = known('period_type', periodType.unit);
  return {
    sampleTypes,
    periodType,
    samples: samples.view(),
    mappings: mappings.view(),
    locations: locations.view(),
    functions: functions.view(),
    strings,
    timeNanos,
    durationNanos,
    period,
    dropFrames: strings.at(known('drop_frames', dropFrames)),
    keepFrames: strings.at(known('keep_frames', keepFrames)),
    defaultSampleType: strings.at(known('default_sample_type', defaultSampleType)),
  };
}

/** Values whose type is not known mean nothing: what a sample type refers to must be there. */
function checkSampleType(
  reader: WireReader,
  row: number,
  { type, unit }: RawValueType,
  strings: number,
): void {
  at(reader, 'sample_type', row);
  for (const [field, index] of [
    ['type', type],
    ['unit', unit],
  ] as const) {
    reader.field = field;
    if (index >= strings) throw reader.broken(`it is string ${index} of a table of ${strings}`);
  }
}

/** The string index, 0 (empty) where the table does not have it, which is noted. */
export function knownString(
  reader: WireReader,
  index: number,
  strings: number,
  changes: ImportChanges,
): number {
  if (index < strings) return index;
  changes.note('string_missing', () => `${reader.path()} is string ${index} of a table of ${strings}`);
  return 0;
}

/** An index into the string table, read and checked. */
export function readKnownString(reader: WireReader, strings: number, changes: ImportChanges): number {
  return knownString(reader, readStringIndex(reader), strings, changes);
}

/** An index into the string table, still to be checked; no table has one that is this large. */
function readStringIndex(reader: WireReader): number {
  const index = reader.uint();
  return reader.high === 0 ? index : 0xffff_ffff;
}

function readPeriod(reader: WireReader, changes: ImportChanges): number {
  const low = reader.uint();
  const period = reader.number(low);
  if (Number.isSafeInteger(period) && period >= 0) return period;
  changes.note('period_unknown', () => `${reader.int64(low)}`);
  return 0;
}

function at(reader: WireReader, table: string, row: number): void {
  reader.table = table;
  reader.row = row;
  reader.field = '';
}

function note(reader: WireReader, table: string, rows: GrowableU32, limit: string, most: number): void {
  at(reader, table, rows.length);
  reader.expect(WIRE.bytes);
  if (rows.length === most) throw reader.tooMany(limit, limit, most);
  rows.push(reader.pos);
  reader.leave(reader.enterLength());
}

function readValueType(reader: WireReader, into: RawValueType): void {
  const outer = reader.enter();
  while (reader.more()) {
    reader.field = '';
    switch (reader.tag()) {
      case VALUE_TYPE.type:
        reader.field = 'type';
        into.type = readStringIndex(reader);
        break;
      case VALUE_TYPE.unit:
        reader.field = 'unit';
        into.unit = readStringIndex(reader);
        break;
      default:
        reader.skip();
    }
  }
  reader.leave(outer);
}

function noteString(reader: WireReader, strings: PprofStrings): void {
  const outer = reader.enter();
  strings.push(reader.pos, reader.limit);
  reader.leave(outer);
}
