/**
 * pprof files into blocks. Every table is checked: each index and id must exist, strings must be
 * UTF-8, numbers must be exact. What is refused is refused with the field; nothing is repaired, with
 * two exceptions that common writers need: negative line numbers (JVM tools) are unknown, and labels
 * with neither a string nor a number are dropped.
 *
 *   - Each sample type becomes series of its own profile type (profileTypeOf).
 *   - String labels of samples become series labels, numeric ones too (numeric-labels.ts).
 *   - Addresses stay as they are in the file; mappings that have file and build id in common are one.
 *   - All samples get one time: the request's, else the profile's time_nanos.
 *   - Values of 0 add nothing. Comments, doc_url, drop_frames, keep_frames, default_sample_type,
 *     columns and is_folded are checked but not kept: a block has no place for them.
 *   - Unknown fields are skipped, as protobuf asks of readers, where they are legal protobuf.
 */
import { gunzip } from '#compression';

import { BlockBuilder } from '../../block/block-builder.ts';
import type { Block } from '../../block/block.ts';
import { FleetflameError } from '../../errors.ts';
import { formatProfileType, PROFILE_TYPE_MAX_LENGTH } from '../../profile-type/profile-type.ts';
import { SampleDecoder } from './decode-samples.ts';
import { PprofTables } from './decode-tables.ts';
import { PPROF_LIMITS } from './limits.ts';
import type { PprofLimits } from './limits.ts';
import { profileTypeOf } from './profile-type-of.ts';
import { scanProfile } from './scan-profile.ts';
import type { ProfileLayout } from './scan-profile.ts';
import { pprofLimitError, WireReader } from './wire-reader.ts';

export interface DecodePprofOptions {
  /** Added to every sample; they win over the sample's own labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Unix milliseconds of all samples. Default: the profile's time_nanos. */
  readonly timeMs?: number | undefined;
  /** Lower limits than PPROF_LIMITS. */
  readonly limits?: Partial<PprofLimits> | undefined;
}

export interface DecodedPprof {
  readonly block: Block;
  /** Sum of the values of each profile type in the file, 0 included. */
  readonly totals: Map<string, number>;
  /** Unix milliseconds at which the samples are. */
  readonly timeMs: number;
  /** What the profile says it covers; 0: it does not say. */
  readonly durationMs: number;
}

/** Reads a pprof profile, gzip or plain. Throws invalid_input with the field, or limit_exceeded. */
export function decodePprof(bytes: Uint8Array, options: DecodePprofOptions = {}): DecodedPprof {
  const limits: PprofLimits = { ...PPROF_LIMITS, ...options.limits };
  const reader = new WireReader(inflate(bytes, limits));
  const layout = scanProfile(reader, limits);
  const profileTypes = profileTypesOf(reader, layout);
  const timeMs = options.timeMs ?? timeOf(layout);
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) {
    throw new FleetflameError('invalid_input', `A time is in whole Unix milliseconds, not ${timeMs}.`, {
      field: 'time_ms',
    });
  }
  const builder = new BlockBuilder();
  const tables = new PprofTables(reader, layout, builder, limits);
  const samples = new SampleDecoder(reader, builder, {
    layout,
    tables,
    limits,
    profileTypes,
    labels: options.labels ?? {},
    timeMs,
  });
  samples.decode();
  return {
    block: builder.build(),
    totals: new Map(profileTypes.map((type, index) => [type, samples.totals[index] ?? 0])),
    timeMs,
    durationMs: Math.max(0, Number(layout.durationNanos / 1_000_000n)),
  };
}

function inflate(bytes: Uint8Array, limits: PprofLimits): Uint8Array {
  if (bytes.length > limits.compressedBytes) {
    throw pprofLimitError('compressedBytes', 'bytes', limits.compressedBytes, 'profile');
  }
  if (bytes.length === 0) {
    throw new FleetflameError('invalid_input', 'The pprof profile is empty: it has no bytes.', {
      field: 'profile',
    });
  }
  // A profile cannot begin with the magic of gzip: 0x1f is field 3 with a wire type that does not exist.
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzip(bytes, limits.inflatedBytes);
  } catch (cause) {
    if (!(cause instanceof FleetflameError)) throw cause;
    if (cause.code === 'limit_exceeded') {
      throw pprofLimitError('inflatedBytes', 'bytes behind gzip', limits.inflatedBytes, 'profile');
    }
    const message = `The pprof profile cannot be read. ${cause.message}`;
    throw new FleetflameError(cause.code, message, { field: 'profile', cause });
  }
}

function profileTypesOf(reader: WireReader, layout: ProfileLayout): string[] {
  const { sampleTypes, periodType, strings } = layout;
  const text = (index: number): string => strings[index] ?? '';
  const period = { type: text(periodType.type), unit: text(periodType.unit) };
  reader.table = 'sample_type';
  reader.row = -1;
  reader.field = '';
  if (sampleTypes.length === 0) throw reader.broken('there is none: this may be no pprof profile');
  const profileTypes: string[] = [];
  for (const [row, sampleType] of sampleTypes.entries()) {
    reader.row = row;
    reader.field = '';
    const sample = { type: text(sampleType.type), unit: text(sampleType.unit) };
    const profileType = formatProfileType(profileTypeOf(sample, period));
    if (profileType.length > PROFILE_TYPE_MAX_LENGTH) {
      throw reader.tooMany(
        'PROFILE_TYPE_MAX_LENGTH',
        'characters in a profile type',
        PROFILE_TYPE_MAX_LENGTH,
      );
    }
    const same = profileTypes.indexOf(profileType);
    if (same >= 0) throw reader.broken(`it is the same as sample_type[${same}]`);
    reader.field = 'type';
    if (sample.type === '') throw reader.broken('the sample type has no name');
    profileTypes.push(profileType);
  }
  reader.table = 'period';
  reader.row = -1;
  reader.field = '';
  if (layout.period < 0) throw reader.broken(`the period is negative: ${layout.period}`);
  return profileTypes;
}

function timeOf(layout: ProfileLayout): number {
  if (layout.timeNanos > 0n) return Number(layout.timeNanos / 1_000_000n);
  const what = layout.timeNanos === 0n ? 'has no time' : `has the time ${layout.timeNanos}, before 1970`;
  throw new FleetflameError(
    'invalid_input',
    `The pprof profile ${what} (time_nanos): say when it was taken, for example --time now.`,
    { field: 'time_nanos' },
  );
}
