/**
 * What is known of one binary: a small JSON object beside its table.
 *
 * ```
 * symbols/<build id>/v1/<time>-<digest>.table
 * symbols/<build id>/v1/<time>-<digest>.json     written last: from then on the table counts
 * ```
 * Objects are written once, so an upgrade or a retry adds a pair; the newest key is in force. `time` is Unix ms in
 * 12 hex digits, `digest` the start of the SHA-256 of the contents.
 */
import { createHash } from 'node:crypto';
import { FleetflameError } from '@fleetflame/profile';
import type { SymbolSource } from './convert/convert-binary.ts';

export interface BinaryRecord {
  readonly buildId: string;
  /** Base name of the uploaded file, for people. */
  readonly fileName: string;
  readonly symbols: number;
  readonly source: SymbolSource;
  /** Empty when all is well. */
  readonly problem: string;
  /** Key of the table; empty for a binary that could not be converted. */
  readonly table: string;
  readonly uploadedMs: number;
  readonly uploadBytes: number;
}

const SOURCES: readonly string[] = ['dwarf', 'symtab', 'gopclntab', 'dynsym', 'none'];

export function recordPrefix(buildId: string): string {
  return `symbols/${buildId}/v1/`;
}

export function recordKeys(
  buildId: string,
  timeMs: number,
  contents: Uint8Array,
): { table: string; record: string } {
  const digest = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const stem = `${recordPrefix(buildId)}${Math.floor(timeMs).toString(16).padStart(12, '0')}-${digest}`;
  return { table: `${stem}.table`, record: `${stem}.json` };
}

export function encodeRecord(record: BinaryRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/** @throws FleetflameError corrupt_data */
export function decodeRecord(bytes: Uint8Array, key: string): BinaryRecord {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (isRecord(value)) return value;
  } catch (error) {
    throw new FleetflameError('corrupt_data', `${key} is not JSON: upload the binary again.`, {
      cause: error,
    });
  }
  throw new FleetflameError('corrupt_data', `${key} lacks fields: upload the binary again.`);
}

function isRecord(value: unknown): value is BinaryRecord {
  if (typeof value !== 'object' || value === null) return false;
  const has = (name: string, type: string): boolean =>
    name in value && typeof Reflect.get(value, name) === type;
  return (
    ['buildId', 'fileName', 'problem', 'table'].every((name) => has(name, 'string')) &&
    ['symbols', 'uploadedMs', 'uploadBytes'].every((name) => has(name, 'number')) &&
    SOURCES.includes(String(Reflect.get(value, 'source')))
  );
}
