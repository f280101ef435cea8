/**
 * pprof files into blocks. What a file says wrongly in one place is no reason to lose the rest of it:
 * odd values are taken as far as they have a meaning, and every change is in the answer
 * (import-changes.ts). Refused is what is no protobuf, what is no profile (no sample type), and what
 * exceeds a limit.
 *
 *   - Each sample type becomes series of its own profile type (profileTypeOf).
 *   - String labels of samples become series labels, numeric ones too (sample-labels.ts).
 *   - Addresses are counted by where their mapping lies (mapped-address.ts); mappings that have file
 *     and build id in common are one.
 *   - drop_frames and keep_frames are applied (drop-frames.ts).
 *   - All samples get one time: the request's, else the profile's time_nanos, else `arrivalMs`.
 *   - Values of 0 add nothing. Comments, doc_url and is_folded are not kept.
 *   - Unknown fields are skipped, as protobuf asks of readers, where they are legal protobuf.
 */
import { BlockBuilder } from '../../block/block-builder.ts';
import { SERVICE_NAME } from '../../block/block.ts';
import type { InternedTables } from '../../block/tables/interned-tables.ts';
import { FleetflameError } from '../../errors.ts';
import { formatProfileType, PROFILE_TYPE_MAX_LENGTH } from '../../profile-type/profile-type.ts';
import { unwrap } from '../compressed.ts';
import type { DecodedProfile, DecodedRows, DecodeProfileOptions } from '../decoded-profile.ts';
import { ImportChanges, shortened } from '../import-changes.ts';
import { SampleDecoder, TooManySeries } from './decode-samples.ts';
import { PprofTables } from './decode-tables.ts';
import { DropFrames } from './drop-frames.ts';
import { PPROF_LIMITS } from './limits.ts';
import type { PprofLimits } from './limits.ts';
import { profileTypeOf } from './profile-type-of.ts';
import { scanProfile } from './scan-profile.ts';
import { scratch } from './scratch.ts';
import type { ProfileLayout } from './scan-profile.ts';
import { pprofLimitError, WireReader } from './wire-reader.ts';

export interface DecodePprofOptions extends Omit<DecodeProfileOptions, 'type' | 'unit'> {
  /** Other limits than PPROF_LIMITS. */
  readonly limits?: Partial<PprofLimits> | undefined;
  /** Of the kind of profile, such as mutex, which the file cannot say: the first word of its types. A whole type: its first word. */
  readonly name?: string | undefined;
}

/** How often a profile is read again without labels of too many values. */
const MOST_PASSES = 4;

/** Reads a pprof profile, plain or compressed. Throws invalid_input with the field, or limit_exceeded. */
export function decodePprof(bytes: Uint8Array, options: DecodePprofOptions = {}): DecodedProfile {
  const { builder, ...decoded } = decode(bytes, options, () => new BlockBuilder());
  return { block: builder.build(), ...decoded };
}

/** The same over tables that are shared with others: nothing but the rows holds the samples. */
export function decodePprofRows(
  bytes: Uint8Array,
  tables: InternedTables,
  options: DecodePprofOptions = {},
): DecodedRows {
  const { builder, ...decoded } = decode(bytes, options, () => new BlockBuilder(tables, scratch.points()));
  return { rows: builder.rows(), ...decoded };
}

interface Decoded extends Omit<DecodedProfile, 'block'> {
  readonly builder: BlockBuilder;
}

function decode(bytes: Uint8Array, options: DecodePprofOptions, newBuilder: () => BlockBuilder): Decoded {
  const limits: PprofLimits = { ...PPROF_LIMITS, ...options.limits };
  const outer = new ImportChanges();
  const inflated = inflate(bytes, limits, outer);
  const leftOut = new Set<string>();
  for (let pass = 1; ; pass++) {
    try {
      return decodeOnce(inflated, newBuilder(), options, { limits, outer, leftOut });
    } catch (error) {
      if (!(error instanceof TooManySeries)) throw error;
      const names = error.names.filter((name) => name !== SERVICE_NAME && !leftOut.has(name));
      if (names.length === 0 || pass === MOST_PASSES) throw error.refusal;
      for (const name of names) leftOut.add(name);
    }
  }
}

function decodeOnce(
  bytes: Uint8Array,
  builder: BlockBuilder,
  options: DecodePprofOptions,
  pass: {
    readonly limits: PprofLimits;
    readonly outer: ImportChanges;
    readonly leftOut: ReadonlySet<string>;
  },
): Decoded {
  const { limits, outer, leftOut } = pass;
  const changes = new ImportChanges(outer);
  scratch.begin();
  const reader = new WireReader(bytes);
  const layout = scanProfile(reader, limits, changes);
  const profileTypes = profileTypesOf(reader, layout, changes, options.name);
  const timeMs = timeOf(layout, options, changes);
  const drop = DropFrames.from(layout.dropFrames, layout.keepFrames, changes);
  const tables = new PprofTables(reader, layout, builder, { limits, changes, drop });
  const samples = new SampleDecoder(reader, builder, {
    layout,
    tables,
    limits,
    changes,
    leftOut,
    profileTypes,
    labels: options.labels ?? {},
    timeMs,
    onNegative: options.onNegative,
  });
  samples.decode();
  layout.strings.checkUnused();
  checkStrings(reader, layout, changes);
  const totals = new Map(profileTypes.map((type, index) => [type, samples.totals[index] ?? 0]));
  noteTotals(totals, builder, changes);
  return {
    builder,
    totals,
    timeMs,
    durationMs: durationOf(layout, changes),
    defaultSampleType: layout.defaultSampleType,
    changes: changes.list(),
  };
}

/** Some texts that the string table does not have are odd values; many are a table that was cut off. */
function checkStrings(reader: WireReader, { strings }: ProfileLayout, changes: ImportChanges): void {
  const missing = changes.count('string_missing');
  if (missing <= Math.max(3, strings.length / 100)) return;
  reader.table = 'string_table';
  reader.row = -1;
  reader.field = '';
  throw reader.broken(
    `${missing} texts are not among its ${strings.length} strings: the file is cut off or damaged`,
  );
}

function inflate(bytes: Uint8Array, limits: PprofLimits, changes: ImportChanges): Uint8Array {
  if (bytes.length > limits.compressedBytes) {
    throw pprofLimitError('compressedBytes', 'bytes', limits.compressedBytes, 'profile');
  }
  if (bytes.length === 0) {
    throw new FleetflameError('invalid_input', 'The pprof profile is empty: it has no bytes.', {
      field: 'profile',
    });
  }
  // A profile cannot begin with the magic of gzip or zstd: their first bytes are no legal fields.
  try {
    return unwrap(bytes, limits.inflatedBytes, changes);
  } catch (cause) {
    if (!(cause instanceof FleetflameError)) throw cause;
    if (cause.code === 'limit_exceeded') {
      throw pprofLimitError('inflatedBytes', 'bytes inside its compression', limits.inflatedBytes, 'profile');
    }
    const message = `The pprof profile cannot be read. ${cause.message}`;
    throw new FleetflameError(cause.code, message, { field: 'profile', cause });
  }
}

function profileTypesOf(
  reader: WireReader,
  layout: ProfileLayout,
  changes: ImportChanges,
  said = '',
): string[] {
  const { sampleTypes, periodType, strings } = layout;
  if (sampleTypes.length === 0) {
    reader.table = 'sample_type';
    reader.row = -1;
    reader.field = '';
    throw reader.broken('there is none: this may be no pprof profile');
  }
  const text = (index: number): string => typeWord(strings.at(index), changes);
  const period = { type: text(periodType.type), unit: text(periodType.unit) };
  const named = typeWord(said.split(':')[0] ?? '', changes);
  if (named === '' && CONTENTIONS.has(period.type)) changes.note('name_unknown', period.type);
  const profileTypes = new Set<string>();
  for (const { type, unit } of sampleTypes) {
    const name = text(type) || UNNAMED_TYPE;
    const of = (sample: string): string =>
      formatProfileType({
        ...profileTypeOf({ type: sample, unit: text(unit) }, period),
        ...(named === '' ? {} : { name: named }),
      });
    let profileType = of(name);
    for (let n = 2; profileTypes.has(profileType); n++) profileType = of(`${name}_${n}`);
    if (text(type) === '' || profileType !== of(name)) {
      changes.note('sample_type_renamed', `${strings.at(type)} is ${profileType}`);
    }
    profileTypes.add(profileType);
  }
  return [...profileTypes];
}

const UNNAMED_TYPE = 'unnamed';

/** Period types of Go's mutex and block profiles alike. */
const CONTENTIONS: ReadonlySet<string> = new Set(['contentions']);

/** Characters of one of the five words of a profile type, with room for a number behind it. */
const WORD_LENGTH = Math.floor(PROFILE_TYPE_MAX_LENGTH / 5) - 4;

/** Profile types are words joined with colons. */
function typeWord(text: string, changes: ImportChanges): string {
  const word = shortened(text.replaceAll(':', '_'), WORD_LENGTH);
  if (word !== text) changes.note('sample_type_renamed', `${text} is ${word}`);
  return word;
}

function timeOf(layout: ProfileLayout, options: DecodePprofOptions, changes: ImportChanges): number {
  const { timeMs, arrivalMs } = options;
  if (timeMs !== undefined) {
    if (Number.isSafeInteger(timeMs) && timeMs >= 0) return timeMs;
    throw new FleetflameError('invalid_input', `A time is in whole Unix milliseconds, not ${timeMs}.`, {
      field: 'time_ms',
    });
  }
  if (layout.timeNanos > 0n) return Number(layout.timeNanos / 1_000_000n);
  const what = layout.timeNanos === 0n ? 'has no time' : `has the time ${layout.timeNanos}, before 1970`;
  if (arrivalMs !== undefined) {
    changes.note('time_missing', `the profile ${what}`);
    return arrivalMs;
  }
  throw new FleetflameError(
    'invalid_input',
    `The pprof profile ${what} (time_nanos): say when it was taken, for example --time now.`,
    { field: 'time_nanos' },
  );
}

function durationOf({ durationNanos }: ProfileLayout, changes: ImportChanges): number {
  if (durationNanos >= 0n) return Number(durationNanos / 1_000_000n);
  changes.note('duration_unknown', String(durationNanos));
  return 0;
}

function noteTotals(
  totals: ReadonlyMap<string, number>,
  builder: BlockBuilder,
  changes: ImportChanges,
): void {
  for (const [type, total] of totals) {
    if (Math.abs(total) >= 2 ** 63) {
      throw new FleetflameError(
        'limit_exceeded',
        `The values of ${type} sum to ${total}, more than 64 bits hold: split the profile.`,
        { field: 'sample' },
      );
    }
    if (!Number.isSafeInteger(total)) changes.note('value_inexact', `the sum of ${type} is ${total}`);
  }
  if (builder.points === 0) changes.note('no_samples');
}
