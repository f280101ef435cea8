/**
 * Tables of all binaries: what is stored, what is in memory. Records (a few hundred bytes) are remembered as they are
 * asked for; tables are inflated when first looked up and kept, least recently used out first, within a bound.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { decodeRecord, encodeRecord, recordKeys, recordPrefix, type BinaryRecord } from './binary-record.ts';
import { isBuildId } from './build-id.ts';
import type { Conversion, SymbolSource } from './convert/convert-binary.ts';
import { SYMBOL_LIMITS } from './limits.ts';
import { StoreMetrics } from './store-metrics.ts';
import type { SymbolStorage } from './symbol-storage.ts';
import type { SymbolTable } from './symbol-table.ts';
import { decodeSymbolTable } from './decode-symbol-table.ts';

/** Node's table takes 30 MB in memory, libc's 0.1. */
export const DEFAULT_CACHE_BYTES = 256 * 1024 * 1024;
/** Another server may have stored what was missing: so long it is believed to be missing still. */
const MISSING_MS = 10_000;
/** Records remembered; a record takes some 500 bytes. */
const MAX_RECORDS = 100_000;

export interface SymbolStoreOptions {
  readonly storage: SymbolStorage;
  readonly log: Logger;
  readonly registry: Registry;
  /** Memory for tables. Default: DEFAULT_CACHE_BYTES. */
  readonly cacheBytes?: number;
  /** The clock, Unix ms. */
  readonly now?: () => number;
}

interface Known {
  readonly record: BinaryRecord | undefined;
  readonly readMs: number;
}

export class SymbolStore {
  readonly #storage: SymbolStorage;
  readonly #log: Logger;
  readonly #metrics: StoreMetrics;
  readonly #cacheBytes: number;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  /** In order of last use. */
  readonly #tables = new Map<string, SymbolTable>();
  readonly #loading = new Map<string, Promise<SymbolTable | undefined>>();
  #tableBytes = 0;

  constructor(options: SymbolStoreOptions) {
    this.#storage = options.storage;
    this.#log = options.log;
    this.#cacheBytes = options.cacheBytes ?? DEFAULT_CACHE_BYTES;
    this.#now = options.now ?? Date.now;
    this.#metrics = new StoreMetrics(options.registry, () => ({
      bytes: this.#tableBytes,
      tables: this.#tables.size,
    }));
  }

  /**
   * The table of a binary; undefined while there is none. A damaged table is logged and counts as none.
   * @throws FleetflameError unavailable when the storage does not answer
   */
  async table(buildId: string): Promise<SymbolTable | undefined> {
    const cached = this.#tables.get(buildId);
    if (cached !== undefined) {
      this.#tables.delete(buildId);
      this.#tables.set(buildId, cached);
      this.#metrics.lookups.inc({ result: 'hit' });
      return cached;
    }
    let loading = this.#loading.get(buildId);
    if (loading === undefined) {
      loading = this.#load(buildId).finally(() => this.#loading.delete(buildId));
      this.#loading.set(buildId, loading);
    }
    return await loading;
  }

  /** What is known of each of these; of all binaries when none is named. Unknown ones are left out. */
  async status(buildIds: readonly string[]): Promise<BinaryRecord[]> {
    const wanted = buildIds.length > 0 ? buildIds : await this.#storedBuildIds();
    const records: BinaryRecord[] = [];
    for (const buildId of wanted) {
      const record = await this.record(buildId);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  async record(buildId: string): Promise<BinaryRecord | undefined> {
    if (!isBuildId(buildId)) return undefined;
    const known = this.#known.get(buildId);
    if (known?.record !== undefined || (known && this.#now() - known.readMs < MISSING_MS))
      return known.record;
    const record = await this.#readRecord(buildId);
    this.#remember(buildId, record);
    return record;
  }

  /** Stores the table of a binary, unless a better one is there. Returns what is in force. */
  async add(
    binary: { readonly buildId: string; readonly fileName: string; readonly uploadBytes: number },
    conversion: Conversion,
  ): Promise<BinaryRecord> {
    const before = await this.record(binary.buildId);
    if (before !== undefined && before.table !== '' && !isBetter(conversion, before)) return before;
    const uploadedMs = this.#now();
    const keys = recordKeys(binary.buildId, uploadedMs, conversion.table);
    const record: BinaryRecord = {
      ...binary,
      symbols: conversion.symbols,
      source: conversion.source,
      problem: problemOf(conversion),
      table: keys.table,
      uploadedMs,
    };
    await this.#storage.put(keys.table, conversion.table);
    await this.#write(keys.record, record);
    this.#metrics.demangled.inc({ result: 'demangled' }, conversion.demangled);
    this.#metrics.demangled.inc({ result: 'failed' }, conversion.demangleFailed);
    return record;
  }

  /** Remembers why a binary has no table, so that it is not asked for again and again. A table in force stays. */
  async addFailure(
    binary: { readonly buildId: string; readonly fileName: string; readonly uploadBytes: number },
    problem: string,
  ): Promise<void> {
    const before = await this.record(binary.buildId);
    if (before !== undefined && before.table !== '') return;
    const uploadedMs = this.#now();
    const record: BinaryRecord = { ...binary, symbols: 0, source: 'none', problem, table: '', uploadedMs };
    await this.#write(recordKeys(binary.buildId, uploadedMs, encodeRecord(record)).record, record);
  }

  async #write(key: string, record: BinaryRecord): Promise<void> {
    await this.#storage.put(key, encodeRecord(record));
    this.#remember(record.buildId, record);
    this.#drop(record.buildId);
  }

  async #load(buildId: string): Promise<SymbolTable | undefined> {
    const record = await this.record(buildId);
    if (record === undefined || record.table === '') {
      this.#metrics.lookups.inc({ result: 'none' });
      return undefined;
    }
    this.#metrics.lookups.inc({ result: 'miss' });
    let table: SymbolTable;
    try {
      table = await decodeSymbolTable(await this.#storage.get(record.table));
    } catch (error) {
      if (!(error instanceof FleetflameError) || error.code === 'unavailable') throw error;
      this.#metrics.damaged.inc();
      this.#log.error({ err: error, buildId, key: record.table }, 'a symbol table cannot be read');
      // From now on it counts as missing, and is wanted again.
      this.#remember(buildId, {
        ...record,
        table: '',
        symbols: 0,
        source: 'none',
        problem: error.message,
        uploadedMs: 0,
      });
      return undefined;
    }
    this.#keep(buildId, table);
    return table;
  }

  #keep(buildId: string, table: SymbolTable): void {
    // A table larger than the whole cache is used once.
    if (table.sizeBytes > this.#cacheBytes) return;
    this.#drop(buildId);
    this.#tables.set(buildId, table);
    this.#tableBytes += table.sizeBytes;
    for (const oldest of this.#tables.keys()) {
      if (this.#tableBytes <= this.#cacheBytes) break;
      this.#drop(oldest);
      this.#metrics.evicted.inc();
    }
  }

  #drop(buildId: string): void {
    const table = this.#tables.get(buildId);
    if (table === undefined) return;
    this.#tables.delete(buildId);
    this.#tableBytes -= table.sizeBytes;
  }

  #remember(buildId: string, record: BinaryRecord | undefined): void {
    this.#known.delete(buildId);
    this.#known.set(buildId, { record, readMs: this.#now() });
    if (this.#known.size > MAX_RECORDS) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
  }

  async #readRecord(buildId: string): Promise<BinaryRecord | undefined> {
    const keys = await this.#storage.list(recordPrefix(buildId));
    for (const key of keys.filter((one) => one.endsWith('.json')).toReversed()) {
      try {
        return decodeRecord(await this.#storage.get(key), key);
      } catch (error) {
        if (!(error instanceof FleetflameError) || error.code === 'unavailable') throw error;
        this.#metrics.damaged.inc();
        this.#log.error({ err: error, key }, 'a record of a binary cannot be read; the one before it counts');
      }
    }
    return undefined;
  }

  async #storedBuildIds(): Promise<string[]> {
    const ids = new Set<string>();
    for (const key of await this.#storage.list('symbols/')) {
      const id = key.split('/')[1];
      if (id !== undefined && isBuildId(id)) ids.add(id);
      if (ids.size >= SYMBOL_LIMITS.statuses) break;
    }
    return [...ids];
  }
}

const QUALITY: Readonly<Record<SymbolSource, number>> = {
  none: 0,
  dynsym: 1,
  gopclntab: 2,
  symtab: 3,
  dwarf: 4,
};

/** An unstripped file of the same build replaces a stripped one, not the other way round. */
function isBetter(conversion: Conversion, before: BinaryRecord): boolean {
  const gain = QUALITY[conversion.source] - QUALITY[before.source];
  return gain > 0 || (gain === 0 && conversion.symbols > before.symbols);
}

function problemOf(conversion: Conversion): string {
  if (conversion.symbols > 0) return conversion.problem;
  return [conversion.problem, ...conversion.warnings].join('; ');
}
