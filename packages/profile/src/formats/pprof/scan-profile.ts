import { GrowableU32 } from '../../block/tables/growable.ts';
import { PROFILE, VALUE_TYPE } from './fields.ts';
import type { PprofLimits } from './limits.ts';
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
  readonly strings: readonly string[];
  readonly timeNanos: bigint;
  readonly durationNanos: bigint;
  readonly period: number;
}

// Below this a loop over the bytes beats the call into the decoder; most names are shorter.
const SHORT = 48;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function scanProfile(reader: WireReader, limits: PprofLimits): ProfileLayout {
  const sampleTypes: RawValueType[] = [];
  const periodType: RawValueType = { type: 0, unit: 0 };
  const samples = new GrowableU32();
  const mappings = new GrowableU32();
  const locations = new GrowableU32();
  const functions = new GrowableU32();
  const strings: string[] = [];
  // Single fields that are indices into the string table, checked when it is complete.
  const references: [field: string, index: number][] = [];
  let timeNanos = 0n;
  let durationNanos = 0n;
  let period = 0;

  while (reader.more()) {
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
        strings.push(readString(reader, limits));
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
        reader.expect(WIRE.varint);
        period = reader.safeInt('the period');
        break;
      case PROFILE.dropFrames:
        readReference(reader, 'drop_frames', references);
        break;
      case PROFILE.keepFrames:
        readReference(reader, 'keep_frames', references);
        break;
      case PROFILE.defaultSampleType:
        readReference(reader, 'default_sample_type', references);
        break;
      case PROFILE.docUrl:
        readReference(reader, 'doc_url', references);
        break;
      case PROFILE.comment:
        readComments(reader, references);
        break;
      default:
        reader.skip();
    }
  }

  at(reader, 'string_table', -1);
  if (strings.length === 0) throw reader.broken('there is no string table');
  reader.row = 0;
  if (strings[0] !== '') throw reader.broken('the first string must be empty');
  for (const [field, index] of references) {
    at(reader, field, -1);
    checkString(reader, index, strings.length);
  }
  for (const [row, type] of sampleTypes.entries()) checkValueType(reader, 'sample_type', row, type, strings);
  checkValueType(reader, 'period_type', -1, periodType, strings);
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
  };
}

/** The string index, if the table has it; the reader stands at the field. */
export function checkString(reader: WireReader, index: number, strings: number): number {
  if (index < strings) return index;
  throw reader.broken(`it is string ${index} of a table of ${strings}`);
}

/** An index into the string table, still to be checked where the table is not read yet. */
export function readStringIndex(reader: WireReader): number {
  const index = reader.uint();
  if (reader.high === 0) return index;
  throw reader.broken(`${reader.int64(index)} is no index into the string table`);
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

function checkValueType(
  reader: WireReader,
  table: string,
  row: number,
  { type, unit }: RawValueType,
  strings: readonly string[],
): void {
  at(reader, table, row);
  for (const [field, index] of [
    ['type', type],
    ['unit', unit],
  ] as const) {
    reader.field = field;
    checkString(reader, index, strings.length);
    // Profile types join these with colons.
    if (strings[index]?.includes(':') === true) throw reader.broken('it contains a colon');
  }
}

function readReference(reader: WireReader, field: string, references: [string, number][]): void {
  reader.field = field;
  references.push([field, readStringIndex(reader)]);
}

/** Comments may be packed. Only their largest index matters: they are not kept. */
function readComments(reader: WireReader, references: [string, number][]): void {
  reader.field = 'comment';
  let largest = 0;
  if (reader.is(WIRE.varint)) largest = readStringIndex(reader);
  else {
    const outer = reader.enter();
    while (reader.more()) {
      largest = Math.max(largest, reader.varint());
      if (reader.high !== 0) throw reader.broken('there is no such string');
    }
    reader.leave(outer);
  }
  const known = references.find(([field]) => field === 'comment');
  if (known === undefined) references.push(['comment', largest]);
  else known[1] = Math.max(known[1], largest);
}

function readString(reader: WireReader, limits: PprofLimits): string {
  const outer = reader.enter();
  const bytes = reader.rest();
  if (bytes.length > limits.stringBytes) {
    throw reader.tooMany('stringBytes', 'bytes in a string', limits.stringBytes);
  }
  let text = '';
  let at = 0;
  if (bytes.length <= SHORT) {
    for (; at < bytes.length && bytes[at]! < 0x80; at++) text += String.fromCharCode(bytes[at]!);
  }
  if (at < bytes.length) {
    try {
      text = utf8.decode(bytes);
    } catch {
      throw reader.broken('the string is not valid UTF-8');
    }
  }
  reader.leave(outer);
  return text;
}
