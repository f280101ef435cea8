/**
 * Deletes what was replaced: records that are not in force and tables that no record names.
 *
 * Safe with any number of servers and sweepers: nothing is deleted before what replaced it has been in force for
 * REPLACED_GRACE_MS by this server's clock and was read whole just now; deleting twice is no error. A server that
 * still believes in a deleted table finds it gone, reads the record again and goes on (SymbolStore).
 */
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { compareRecords, recordPrefix, timeOfKey, type BinaryRecord } from './binary-record.ts';
import { decodeSymbolTable } from './decode-symbol-table.ts';
import { REPLACED_GRACE_MS } from './limits.ts';
import { readRecords } from './record-book.ts';
import type { SymbolStorage } from './symbol-storage.ts';

export interface SweepOptions {
  readonly storage: SymbolStorage;
  readonly log: Logger;
  readonly now: () => number;
  /** Called for each object that was deleted. */
  readonly onDeleted: (key: string) => void;
  /** Whether all that is due may go; asked at every sweep. Default: it may. */
  readonly allow?: ((due: SweepDue) => Promise<boolean>) | undefined;
}

/** What one sweep would delete. */
export interface SweepDue {
  readonly objects: number;
  /** Of so many that there are. */
  readonly of: number;
  /** When they were written, Unix ms; 0: there are none. */
  readonly fromMs: number;
  readonly toMs: number;
  /** When the last of them became due, Unix ms: its replacement was in force for REPLACED_GRACE_MS then. */
  readonly dueMs: number;
}

/** Of one binary. */
interface Replaced {
  /** In the order in which they are to go. */
  readonly keys: readonly string[];
  readonly dueMs: number;
}

export async function sweepSymbols(options: SweepOptions): Promise<void> {
  const { storage, onDeleted, allow } = options;
  const { replaced, of } = await findReplaced(options);
  const all = replaced.flatMap((one) => one.keys);
  const times = all.map(timeOfKey);
  const due = {
    objects: all.length,
    of,
    fromMs: times.reduce((least, ms) => Math.min(least, ms), times[0] ?? 0),
    toMs: times.reduce((most, ms) => Math.max(most, ms), 0),
    dueMs: replaced.reduce((last, { dueMs }) => Math.max(last, dueMs), 0),
  };
  if (allow !== undefined && !(await allow(due))) return;
  for (const key of all) {
    await storage.delete(key);
    onDeleted(key);
  }
}

async function findReplaced(
  options: SweepOptions,
): Promise<{ readonly replaced: readonly Replaced[]; readonly of: number }> {
  let of = 0;
  const keys = new Map<string, string[]>();
  for (const key of await options.storage.list('symbols/')) {
    const buildId = key.split('/')[1];
    // Keys of other kinds and versions are nothing that this sweeper knows about.
    if (buildId === undefined || Number.isNaN(timeOfKey(key)) || !key.startsWith(recordPrefix(buildId)))
      continue;
    of++;
    const known = keys.get(buildId);
    if (known === undefined) keys.set(buildId, [key]);
    else known.push(key);
  }
  const replaced: Replaced[] = [];
  for (const [buildId, all] of keys) {
    // A record and its table: nothing was replaced.
    if (all.length <= 2 && all.some(isRecord)) continue;
    const found = await replacedOf(options, buildId, all);
    if (found !== undefined && found.keys.length > 0) replaced.push(found);
  }
  return { replaced, of };
}

async function replacedOf(
  options: SweepOptions,
  buildId: string,
  keys: readonly string[],
): Promise<Replaced | undefined> {
  const { storage, log, now } = options;
  const oldestMs = now() - REPLACED_GRACE_MS;
  const records = await readRecords(storage, buildId, (error, key) => {
    log.error({ err: error, key }, 'a record of a binary cannot be read');
  });
  const inForce = records.toSorted((a, b) => compareRecords(a.record, b.record)).at(-1);
  if (inForce === undefined || timeOfKey(inForce.key) > oldestMs) return undefined;
  if (!(await isWhole(storage, inForce.record))) return undefined;
  const isKept = (key: string): boolean => key === inForce.key || timeOfKey(key) > oldestMs;
  const tables = new Set(records.filter(({ key }) => isKept(key)).map(({ record }) => record.table));
  // Records first: a record always has its table.
  const replaced = keys
    .filter((key) => !isKept(key) && !tables.has(key))
    .toSorted((a, b) => Number(isRecord(b)) - Number(isRecord(a)));
  const dueMs = replaced.reduce((last, key) => Math.max(last, timeOfKey(key)), timeOfKey(inForce.key));
  return { keys: replaced, dueMs: dueMs + REPLACED_GRACE_MS };
}

function isRecord(key: string): boolean {
  return key.endsWith('.json');
}

async function isWhole(storage: SymbolStorage, record: BinaryRecord): Promise<boolean> {
  if (record.table === '') return true;
  try {
    const bytes = await storage.get(record.table);
    if (record.source !== 'supplementary') await decodeSymbolTable(bytes);
    return true;
  } catch (error) {
    if (error instanceof FleetflameError) return false;
    throw error;
  }
}
