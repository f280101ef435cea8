/**
 * The records of all binaries: read when they are asked for, remembered, and read again now and then, since other
 * servers write to the same storage.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import {
  compareRecords,
  decodeRecord,
  encodeRecord,
  recordPrefix,
  type BinaryRecord,
} from './binary-record.ts';
import { isBuildId } from './build-id.ts';
import { SYMBOL_LIMITS } from './limits.ts';
import type { StoreMetrics } from './store-metrics.ts';
import type { SymbolStorage } from './symbol-storage.ts';

/** Another server may have stored what was missing: so long it is believed to be missing still. */
const MISSING_MS = 10_000;
/** After this a record is read again, behind the back of who asks: he gets what was known. */
export const RECORD_FRESH_MS = 60_000;
/** Records read again at once; the rest waits until it is asked for again. */
const MAX_REFRESHES = 16;
/** Records remembered; a record takes some 500 bytes. */
const MAX_RECORDS = 100_000;
/** Keys of objects that were found to be damaged, so that what was stored before them counts. */
const MAX_DAMAGED = 10_000;

interface Known {
  readonly record: BinaryRecord | undefined;
  readonly readMs: number;
}

export class RecordBook {
  readonly #storage: SymbolStorage;
  readonly #log: Logger;
  readonly #metrics: StoreMetrics;
  readonly #now: () => number;
  /** In order of being read. */
  readonly #known = new Map<string, Known>();
  readonly #refreshing = new Map<string, Promise<void>>();
  readonly #damaged = new Set<string>();

  constructor(storage: SymbolStorage, log: Logger, metrics: StoreMetrics, now: () => number) {
    this.#storage = storage;
    this.#log = log;
    this.#metrics = metrics;
    this.#now = now;
  }

  /** @throws FleetflameError unavailable when the storage does not answer */
  async get(buildId: string): Promise<BinaryRecord | undefined> {
    if (!isBuildId(buildId)) return undefined;
    const known = this.#known.get(buildId);
    if (known === undefined) return await this.read(buildId);
    const age = this.#now() - known.readMs;
    if (known.record === undefined) return age < MISSING_MS ? undefined : await this.read(buildId);
    if (age >= RECORD_FRESH_MS) this.#refresh(buildId);
    return known.record;
  }

  /** What is in the storage now. */
  async read(buildId: string): Promise<BinaryRecord | undefined> {
    const record = await this.#inForce(buildId);
    this.#remember(buildId, record);
    return record;
  }

  async write(key: string, record: BinaryRecord): Promise<void> {
    await this.#storage.put(key, encodeRecord(record));
    this.#remember(record.buildId, record);
  }

  /** The table of this record cannot be read: what was there before counts, or nothing. */
  async reject(record: BinaryRecord): Promise<void> {
    this.#damaged.add(record.table);
    for (const oldest of this.#damaged) {
      if (this.#damaged.size <= MAX_DAMAGED) break;
      this.#damaged.delete(oldest);
    }
    await this.read(record.buildId);
  }

  /** Resolves when nothing is being read again. For tests, and for the end. */
  async settled(): Promise<void> {
    await Promise.all(this.#refreshing.values());
  }

  async storedBuildIds(): Promise<string[]> {
    const ids = new Set<string>();
    for (const key of await this.#storage.list('symbols/')) {
      const id = key.split('/')[1];
      if (id !== undefined && isBuildId(id)) ids.add(id);
      if (ids.size >= SYMBOL_LIMITS.statuses) break;
    }
    return [...ids];
  }

  #refresh(buildId: string): void {
    if (this.#refreshing.size >= MAX_REFRESHES || this.#refreshing.has(buildId)) return;
    const reading = this.read(buildId)
      .then(
        () => undefined,
        (error: unknown) => this.#log.warn({ err: error, buildId }, 'a record cannot be read again'),
      )
      .finally(() => this.#refreshing.delete(buildId));
    this.#refreshing.set(buildId, reading);
  }

  #remember(buildId: string, record: BinaryRecord | undefined): void {
    this.#known.delete(buildId);
    this.#known.set(buildId, { record, readMs: this.#now() });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_RECORDS) break;
      this.#known.delete(oldest);
    }
  }

  async #inForce(buildId: string): Promise<BinaryRecord | undefined> {
    let best: BinaryRecord | undefined;
    for (const { record } of await readRecords(this.#storage, buildId, (error, key) => {
      this.#metrics.damaged.inc();
      this.#log.error({ err: error, key }, 'a record of a binary cannot be read; the one before it counts');
    })) {
      if (this.#damaged.has(record.table)) continue;
      if (best === undefined || compareRecords(record, best) > 0) best = record;
    }
    return best;
  }
}

export interface StoredRecord {
  readonly key: string;
  readonly record: BinaryRecord;
}

/** All records of a binary that can be read. */
export async function readRecords(
  storage: SymbolStorage,
  buildId: string,
  onDamaged: (error: FleetflameError, key: string) => void,
): Promise<StoredRecord[]> {
  const keys = await storage.list(recordPrefix(buildId));
  const records: StoredRecord[] = [];
  for (const key of keys) {
    if (!key.endsWith('.json')) continue;
    try {
      records.push({ key, record: decodeRecord(await storage.get(key), key) });
    } catch (error) {
      if (!(error instanceof FleetflameError) || error.code === 'unavailable') throw error;
      // A sweeper was faster: then there is a better one.
      if (error.code !== 'not_found') onDamaged(error, key);
    }
  }
  return records;
}
