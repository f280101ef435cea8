import { rowsOfBlock } from '../block/batch-rows.ts';
import type { InternedTables } from '../block/tables/interned-tables.ts';
import { giveBack } from '../block/give-back.ts';
import { FleetflameError } from '../errors.ts';
import { unwrap } from './compressed.ts';
import { importCpuprofile } from './cpuprofile/import-cpuprofile.ts';
import type { DecodedProfile, DecodedRows, DecodeProfileOptions } from './decoded-profile.ts';
import { detectFormat } from './detect-format.ts';
import { importFolded } from './folded/import-folded.ts';
import { FORMAT_NAMES, isFormatName } from './format-name.ts';
import type { FormatName } from './format-name.ts';
import { importGperftoolsCpu } from './gperftools/import-gperftools-cpu.ts';
import { importHeapText } from './gperftools/import-heap-text.ts';
import { ImportChanges } from './import-changes.ts';
import { tooLargeFile } from './import-error.ts';
import { importJfr } from './jfr/import-jfr.ts';
import { IMPORT_LIMITS } from './limits.ts';
import type { ImportLimits } from './limits.ts';
import { importPerfScript } from './perf-script/import-perf-script.ts';
import { decodePprof, decodePprofRows } from './pprof/decode-pprof.ts';
import type { PprofLimits } from './pprof/limits.ts';
import { importSpeedscope } from './speedscope/import-speedscope.ts';

export interface DecodeAnyOptions extends DecodeProfileOptions {
  /** One of FORMAT_NAMES; default: found out from the content. */
  readonly format?: string | undefined;
  /** Other limits than IMPORT_LIMITS. */
  readonly limits?: Partial<ImportLimits> | undefined;
  /** Other limits than PPROF_LIMITS, for pprof. */
  readonly pprofLimits?: Partial<PprofLimits> | undefined;
}

export interface DecodedFile extends DecodedProfile {
  readonly format: FormatName;
}

export interface DecodedFileRows extends DecodedRows {
  readonly format: FormatName;
}

type Importer = (
  bytes: Uint8Array,
  options: DecodeProfileOptions,
  limits: ImportLimits,
  changes: ImportChanges,
) => DecodedProfile;

const IMPORTERS: Readonly<Record<Exclude<FormatName, 'pprof'>, Importer>> = {
  folded: importFolded,
  'perf-script': importPerfScript,
  speedscope: importSpeedscope,
  cpuprofile: importCpuprofile,
  'gperftools-cpu': importGperftoolsCpu,
  'heap-text': importHeapText,
  jfr: importJfr,
};

/**
 * Reads a profile of any format, plain or inside gzip or zstd. Throws invalid_input, which says what the
 * file is instead, or limit_exceeded.
 */
export function decodeProfile(bytes: Uint8Array, options: DecodeAnyOptions = {}): DecodedFile {
  const file = open(bytes, options);
  const { format, inner, limits, changes } = file;
  return explained(file, options, () => {
    if (format !== 'pprof') return { format, ...IMPORTERS[format](inner, options, limits, changes) };
    const decoded = decodePprof(inner, { ...options, name: options.type, limits: options.pprofLimits });
    return { format, ...decoded, changes: [...changes.list(), ...decoded.changes] };
  });
}

/** The same over tables that are shared with others. */
export function decodeProfileRows(
  bytes: Uint8Array,
  tables: InternedTables,
  options: DecodeAnyOptions = {},
): DecodedFileRows {
  const file = open(bytes, options);
  try {
    return explained(file, options, () => decodeOpened(file, tables, options));
  } finally {
    // What was inside its compression is read once; only rows and texts are left of it.
    if (file.inner.buffer !== bytes.buffer) giveBack(file.inner);
  }
}

function decodeOpened(
  { format, inner, limits, changes }: OpenFile,
  tables: InternedTables,
  options: DecodeAnyOptions,
): DecodedFileRows {
  if (format !== 'pprof') {
    const { block, ...decoded } = IMPORTERS[format](inner, options, limits, changes);
    return { format, ...decoded, rows: rowsOfBlock(tables, block) };
  }
  const decoded = decodePprofRows(inner, tables, {
    ...options,
    name: options.type,
    limits: options.pprofLimits,
  });
  return { format, ...decoded, changes: [...changes.list(), ...decoded.changes] };
}

/** Of a file that cannot be read as the format that was said: also what it looks like. */
function explained<T>({ format, inner }: OpenFile, { format: said }: DecodeAnyOptions, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    const isWrong = error instanceof FleetflameError && error.code === 'invalid_input';
    if (!isWrong || said === undefined || said === '') throw error;
    const likeness = likenessOf(inner, format);
    if (likeness === '') throw error;
    throw new FleetflameError(error.code, `${error.message} ${likeness}`, {
      ...(error.field === undefined ? {} : { field: error.field }),
      cause: error,
    });
  }
}

function likenessOf(bytes: Uint8Array, said: FormatName): string {
  try {
    const found = detectFormat(bytes);
    return found === said ? '' : `It looks like ${found}.`;
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    return error.message.includes('of no known kind') ? '' : error.message;
  }
}

interface OpenFile {
  readonly format: FormatName;
  readonly inner: Uint8Array;
  readonly limits: ImportLimits;
  readonly changes: ImportChanges;
}

/** The file without its compression, and what it is. */
function open(bytes: Uint8Array, options: DecodeAnyOptions): OpenFile {
  const limits: ImportLimits = { ...IMPORT_LIMITS, ...options.limits };
  if (bytes.length > limits.compressedBytes)
    throw tooLargeFile('profile', 'bytes', limits.compressedBytes, 'compressedBytes');
  const changes = new ImportChanges();
  const inner = inflate(bytes, limits, changes);
  return { format: formatOf(options.format, inner), inner, limits, changes };
}

function formatOf(said: string | undefined, bytes: Uint8Array): FormatName {
  if (said === undefined || said === '') return detectFormat(bytes);
  if (isFormatName(said)) return said;
  throw new FleetflameError(
    'invalid_input',
    `There is no format ${JSON.stringify(said.slice(0, 40).toWellFormed())}; one of these: ${FORMAT_NAMES.join(', ')}.`,
    { field: 'format' },
  );
}

function inflate(bytes: Uint8Array, limits: ImportLimits, changes: ImportChanges): Uint8Array {
  try {
    return unwrap(bytes, limits.inflatedBytes, changes);
  } catch (cause) {
    if (!(cause instanceof FleetflameError)) throw cause;
    if (cause.code === 'limit_exceeded') {
      throw tooLargeFile('profile', 'bytes inside its compression', limits.inflatedBytes, 'inflatedBytes');
    }
    throw new FleetflameError(
      cause.code,
      `The file cannot be read: it is cut short or damaged. ${cause.message}`,
      {
        field: 'profile',
        cause,
      },
    );
  }
}
