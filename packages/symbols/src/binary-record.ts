/**
 * What is known of one binary: a small JSON object beside its table.
 *
 * ```
 * symbols/<build id>/v1/<time>-<digest>.table
 * symbols/<build id>/v1/<time>-<digest>.json     written last: from then on the table counts
 * ```
 * Objects are written once, so an upgrade or a retry adds a pair. Of several records the one with the best source is
 * in force, of equals the newest; so it does not matter in which order servers write them, or whose clock is ahead.
 * What is replaced is deleted after a grace (sweep-symbols.ts). `time` is Unix ms in 12 hex digits, `digest` the
 * start of the SHA-256 of the contents.
 */
import { createHash } from 'node:crypto';
import { FleetflameError } from '@fleetflame/profile';
import type { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { isCodeSegments, type CodeSegment } from './code-segments.ts';
import type { SymbolSource } from './convert/convert-binary.ts';
import { SOURCE_QUALITY } from './quality.ts';

/** Of a table; or of a file that others refer to (.gnu_debugaltlink), which is kept as it is. */
export type RecordSource = SymbolSource | 'supplementary';

export interface BinaryRecord {
  readonly buildId: string;
  /** Base name of the uploaded file, for people. */
  readonly fileName: string;
  readonly symbols: number;
  readonly source: RecordSource;
  /** Empty when all is well. */
  readonly problem: string;
  /** Key of the table, or of the supplementary file; empty for a binary that could not be converted. */
  readonly table: string;
  readonly tableBytes: number;
  readonly uploadedMs: number;
  readonly uploadBytes: number;
  /** Rows of source lines, and inlined calls. */
  readonly lines: number;
  readonly inlines: number;
  /** What the file was said to have. Only servers of earlier versions go by it: it is a claim. */
  readonly attempted: SymbolQuality;
  /** Build id of the supplementary file without which names are missing, or empty. */
  readonly missingSupplement: string;
  /** Of the upload that this came of; empty: unknown. */
  readonly content: string;
  /** agent, cli, upload (not said), or the URL of the debuginfod server. */
  readonly origin: string;
  /** The name of who sent it; empty: unknown. */
  readonly uploader: string;
  /** What this replaced, and of whom, in words; empty: nothing. */
  readonly replaced: string;
  /** Where code is at other addresses than offsets in the file; undefined: no upload has said. */
  readonly codeSegments?: readonly CodeSegment[] | undefined;
}

export function recordPrefix(buildId: string): string {
  return `symbols/${buildId}/v1/`;
}

export function recordKeys(
  buildId: string,
  timeMs: number,
  contents: Uint8Array,
): { readonly stem: string; readonly record: string } {
  const digest = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const stem = `${recordPrefix(buildId)}${Math.floor(timeMs).toString(16).padStart(12, '0')}-${digest}`;
  return { stem, record: `${stem}.json` };
}

/** Unix ms at which the object was written, by the clock of its writer; NaN for a key of another form. */
export function timeOfKey(key: string): number {
  const time = /\/([0-9a-f]{12})-[0-9a-f]{16}\.[a-z]+$/.exec(key)?.[1];
  return time === undefined ? Number.NaN : Number.parseInt(time, 16);
}

/** Which of two records of a binary is in force: positive when `a` is. */
export function compareRecords(a: BinaryRecord, b: BinaryRecord): number {
  return (
    Number(a.table !== '') - Number(b.table !== '') ||
    SOURCE_QUALITY[a.source] - SOURCE_QUALITY[b.source] ||
    a.uploadedMs - b.uploadedMs ||
    // Two servers in the same millisecond: any rule, but the same everywhere.
    (a.table < b.table ? -1 : 1)
  );
}

export function encodeRecord(record: BinaryRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/** @throws FleetflameError corrupt_data */
export function decodeRecord(bytes: Uint8Array, key: string): BinaryRecord {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new FleetflameError('corrupt_data', `${key} is not JSON: upload the binary again.`, {
      cause: error,
    });
  }
  // Fields that earlier versions did not write.
  const whole: unknown = typeof value === 'object' && value !== null ? { ...LATER_FIELDS, ...value } : value;
  if (isRecord(whole)) return whole;
  throw new FleetflameError('corrupt_data', `${key} lacks fields: upload the binary again.`);
}

const LATER_FIELDS = {
  tableBytes: 0,
  lines: 0,
  inlines: 0,
  attempted: 0,
  missingSupplement: '',
  content: '',
  origin: 'upload',
  uploader: '',
  replaced: '',
};

function isRecord(value: unknown): value is BinaryRecord {
  if (typeof value !== 'object' || value === null) return false;
  const has = (name: string, type: string): boolean =>
    name in value && typeof Reflect.get(value, name) === type;
  return (
    [
      'buildId',
      'fileName',
      'problem',
      'table',
      'missingSupplement',
      'content',
      'origin',
      'uploader',
      'replaced',
    ].every((name) => has(name, 'string')) &&
    ['symbols', 'uploadedMs', 'uploadBytes', 'tableBytes', 'lines', 'inlines', 'attempted'].every((name) =>
      has(name, 'number'),
    ) &&
    Object.hasOwn(SOURCE_QUALITY, String(Reflect.get(value, 'source'))) &&
    (!('codeSegments' in value) || isCodeSegments(value.codeSegments))
  );
}
