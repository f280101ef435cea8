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
}

export async function sweepSymbols(options: SweepOptions): Promise<void> {
  const keys = new Map<string, string[]>();
  for (const key of await options.storage.list('symbols/')) {
    const buildId = key.split('/')[1];
    // Keys of other kinds and versions are nothing that this sweeper knows about.
    if (buildId === undefined || Number.isNaN(timeOfKey(key)) || !key.startsWith(recordPrefix(buildId)))
      continue;
    const known = keys.get(buildId);
    if (known === undefined) keys.set(buildId, [key]);
    else known.push(key);
  }
  for (const [buildId, all] of keys) {
    // A record and its table: nothing was replaced.
    if (all.length <= 2 && all.some(isRecord)) continue;
    await sweepBinary(options, buildId, all);
  }
}

async function sweepBinary(options: SweepOptions, buildId: string, keys: readonly string[]): Promise<void> {
  const { storage, log, now, onDeleted } = options;
  const oldestMs = now() - REPLACED_GRACE_MS;
  const records = await readRecords(storage, buildId, (error, key) => {
    log.error({ err: error, key }, 'a record of a binary cannot be read');
  });
  const inForce = records.toSorted((a, b) => compareRecords(a.record, b.record)).at(-1);
  if (inForce === undefined || timeOfKey(inForce.key) > oldestMs) return;
  if (!(await isWhole(storage, inForce.record))) return;
  const isKept = (key: string): boolean => key === inForce.key || timeOfKey(key) > oldestMs;
  const tables = new Set(records.filter(({ key }) => isKept(key)).map(({ record }) => record.table));
  const replaced = keys.filter((key) => !isKept(key) && !tables.has(key));
  // Records first: a record always has its table.
  for (const key of replaced.toSorted((a, b) => Number(isRecord(b)) - Number(isRecord(a)))) {
    await storage.delete(key);
    onDeleted(key);
  }
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
