/**
 * Tables of all binaries: what is stored, what is in memory. Records (a few hundred bytes) are remembered as they are
 * asked for; tables are inflated when first looked up and kept, least recently used out first, within a bound.
 */
import { FleetflameError } from '@fleetflame/profile';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { encodeRecord, recordKeys, type BinaryRecord } from './binary-record.ts';
import type { Conversion } from './convert/convert-binary.ts';
import { inParallel } from './in-parallel.ts';
import { STORAGE_CONCURRENCY } from './limits.ts';
import { SOURCE_QUALITY } from './quality.ts';
import { RecordBook } from './record-book.ts';
import { StoreMetrics } from './store-metrics.ts';
import type { SymbolStorage } from './symbol-storage.ts';
import type { SymbolTable } from './symbol-table.ts';
import { decodeSymbolTable } from './decode-symbol-table.ts';

/** Node's table takes 30 MB in memory, libc's 0.1. */
export const DEFAULT_CACHE_BYTES = 256 * 1024 * 1024;

export interface SymbolStoreOptions {
  readonly storage: SymbolStorage;
  readonly log: Logger;
  readonly registry: Registry;
  /** Memory for tables. Default: DEFAULT_CACHE_BYTES. */
  readonly cacheBytes?: number;
  /** The clock, Unix ms. */
  readonly now?: () => number;
}

/** A file that something is stored of. */
export interface StoredFile {
  readonly buildId: string;
  readonly fileName: string;
  readonly uploadBytes: number;
  /** As in an upload. Default: unknown. */
  readonly content?: string;
  /** What it was said to have. Default: unspecified. */
  readonly attempted?: SymbolQuality;
  /** Default: upload. */
  readonly origin?: string;
  /** Replaces what is as good too. Default: only what is worse. */
  readonly replace?: boolean;
}

export class SymbolStore {
  /** Called for a build id that names were wanted of, with what there is; must return at once. */
  onAsked: ((buildId: string, record: BinaryRecord | undefined) => void) | undefined;
  readonly #storage: SymbolStorage;
  readonly #log: Logger;
  readonly #metrics: StoreMetrics;
  readonly #records: RecordBook;
  readonly #cacheBytes: number;
  readonly #now: () => number;
  /** By key, in order of last use. */
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
    this.#records = new RecordBook(this.#storage, this.#log, this.#metrics, this.#now);
  }

  /**
   * The table of a binary; undefined while there is none. A damaged table is logged and counts as none.
   * @throws FleetflameError unavailable when the storage does not answer
   */
  async table(buildId: string): Promise<SymbolTable | undefined> {
    const record = await this.#records.get(buildId);
    if (record === undefined || !hasTable(record)) {
      this.#metrics.lookups.inc({ result: 'none' });
      return undefined;
    }
    const cached = this.#tables.get(record.table);
    if (cached !== undefined) {
      this.#tables.delete(record.table);
      this.#tables.set(record.table, cached);
      this.#metrics.lookups.inc({ result: 'hit' });
      return cached;
    }
    let loading = this.#loading.get(buildId);
    if (loading === undefined) {
      loading = this.#load(record).finally(() => this.#loading.delete(buildId));
      this.#loading.set(buildId, loading);
    }
    return await loading;
  }

  /** What is known of each of these; of all binaries when none is named. Unknown ones are left out. */
  async status(buildIds: readonly string[]): Promise<BinaryRecord[]> {
    const wanted = buildIds.length > 0 ? buildIds : await this.#records.storedBuildIds();
    const records = await inParallel(wanted, STORAGE_CONCURRENCY, (id) => this.#records.get(id));
    return records.filter((record) => record !== undefined);
  }

  /** What is known of a binary that somebody wants names of. */
  async record(buildId: string): Promise<BinaryRecord | undefined> {
    const record = await this.#records.get(buildId);
    this.onAsked?.(buildId, record);
    return record;
  }

  /** As `record`, by somebody who has an eye on the storage, not on names. */
  async peek(buildId: string): Promise<BinaryRecord | undefined> {
    return await this.#records.get(buildId);
  }

  /** As `peek`, as it is in the storage now. */
  async read(buildId: string): Promise<BinaryRecord | undefined> {
    return await this.#records.read(buildId);
  }

  /** Stores the table of a binary, unless a better one is there. Returns what is in force. */
  async add(file: StoredFile, conversion: Conversion): Promise<BinaryRecord> {
    const before = await this.#records.read(file.buildId);
    const uploadedMs = this.#now();
    const keys = recordKeys(file.buildId, uploadedMs, conversion.table);
    const table = `${keys.stem}.table`;
    const attempted = better(file.attempted, before?.attempted);
    const record: BinaryRecord = {
      ...headOf(file),
      symbols: conversion.symbols,
      source: conversion.source,
      problem: problemOf(conversion),
      table,
      tableBytes: conversion.table.length,
      uploadedMs,
      lines: conversion.lineRows,
      inlines: conversion.inlines,
      attempted,
      missingSupplement: conversion.missingSupplement?.buildId ?? '',
    };
    if (before !== undefined && before.table !== '' && !isBetter(record, before, file.replace ?? false)) {
      return await this.#remember(before, attempted, record);
    }
    await this.#storage.put(table, conversion.table);
    await this.#records.write(keys.record, record);
    if (before !== undefined) this.#drop(before.table);
    this.#metrics.demangled.inc({ result: 'demangled' }, conversion.demangled);
    this.#metrics.demangled.inc({ result: 'failed' }, conversion.demangleFailed);
    return record;
  }

  /** Stores a file that debug files of other binaries refer to, as it is. */
  async addSupplement(file: StoredFile, bytes: Uint8Array): Promise<BinaryRecord> {
    const uploadedMs = this.#now();
    const keys = recordKeys(file.buildId, uploadedMs, bytes);
    const record: BinaryRecord = {
      ...EMPTY,
      ...headOf(file),
      source: 'supplementary',
      table: `${keys.stem}.debug`,
      tableBytes: bytes.length,
      uploadedMs,
      attempted: SymbolQuality.DWARF,
    };
    await this.#storage.put(record.table, bytes);
    await this.#records.write(keys.record, record);
    return record;
  }

  /** The bytes of a supplementary file; undefined when there is none. */
  async supplement(buildId: string): Promise<Uint8Array | undefined> {
    const record = await this.#records.get(buildId);
    if (record?.source !== 'supplementary') return undefined;
    try {
      return await this.#storage.get(record.table);
    } catch (error) {
      if (!(error instanceof FleetflameError) || error.code === 'unavailable') throw error;
      await this.#reject(record, error);
      return undefined;
    }
  }

  /** Remembers why a binary has no table, so that it is not asked for again and again. A table in force stays. */
  async addFailure(file: StoredFile, problem: string): Promise<BinaryRecord> {
    const before = await this.#records.read(file.buildId);
    const attempted = better(file.attempted, before?.attempted);
    const uploadedMs = this.#now();
    const record: BinaryRecord = { ...EMPTY, ...headOf(file), problem, uploadedMs, attempted };
    if (before !== undefined && before.table !== '') return await this.#remember(before, attempted, record);
    await this.#records.write(recordKeys(file.buildId, uploadedMs, encodeRecord(record)).record, record);
    return record;
  }

  /** Resolves when nothing is under way behind the back of callers. */
  async settled(): Promise<void> {
    await this.#records.settled();
  }

  /** What was in force stays so, but something better was tried: what came of it is said, and when. */
  async #remember(
    before: BinaryRecord,
    attempted: SymbolQuality,
    tried: BinaryRecord,
  ): Promise<BinaryRecord> {
    if (attempted <= before.attempted || attempted <= SOURCE_QUALITY[before.source]) return before;
    const why = tried.problem === '' ? `it gave ${tried.source}` : tried.problem;
    const record: BinaryRecord = {
      ...before,
      content: tried.content,
      attempted,
      uploadedMs: tried.uploadedMs,
      problem: `a file said to be better was no better: ${why}`,
    };
    await this.#records.write(
      recordKeys(before.buildId, tried.uploadedMs, encodeRecord(record)).record,
      record,
    );
    return record;
  }

  async #load(record: BinaryRecord): Promise<SymbolTable | undefined> {
    this.#metrics.lookups.inc({ result: 'miss' });
    for (let current = record; ;) {
      try {
        const table = await decodeSymbolTable(await this.#storage.get(current.table));
        this.#keep(current.table, table);
        return table;
      } catch (error) {
        if (!(error instanceof FleetflameError) || error.code === 'unavailable') throw error;
        // Another server may have replaced the table and deleted this one; if it has not, the table is damaged.
        let next = await this.#records.read(record.buildId);
        if (next?.table === current.table) {
          await this.#reject(current, error);
          next = await this.#records.get(record.buildId);
        }
        if (next === undefined || !hasTable(next)) return undefined;
        current = next;
      }
    }
  }

  /** From now on it counts as missing, and is wanted again. */
  async #reject(record: BinaryRecord, error: FleetflameError): Promise<void> {
    this.#metrics.damaged.inc();
    this.#log.error(
      { err: error, buildId: record.buildId, key: record.table },
      'a symbol table cannot be read',
    );
    await this.#records.reject(record);
  }

  #keep(key: string, table: SymbolTable): void {
    // A table larger than the whole cache is used once.
    if (table.sizeBytes > this.#cacheBytes) return;
    this.#drop(key);
    this.#tables.set(key, table);
    this.#tableBytes += table.sizeBytes;
    for (const oldest of this.#tables.keys()) {
      if (this.#tableBytes <= this.#cacheBytes) break;
      this.#drop(oldest);
      this.#metrics.evicted.inc();
    }
  }

  #drop(key: string): void {
    const table = this.#tables.get(key);
    if (table === undefined) return;
    this.#tables.delete(key);
    this.#tableBytes -= table.sizeBytes;
  }
}

const EMPTY = {
  symbols: 0,
  source: 'none',
  problem: '',
  table: '',
  tableBytes: 0,
  lines: 0,
  inlines: 0,
  missingSupplement: '',
} as const;

function headOf(
  file: StoredFile,
): Pick<BinaryRecord, 'buildId' | 'fileName' | 'uploadBytes' | 'content' | 'origin'> {
  const { buildId, fileName, uploadBytes, content = '', origin = 'upload' } = file;
  return { buildId, fileName, uploadBytes, content, origin };
}

function better(a: SymbolQuality | undefined, b: SymbolQuality | undefined): SymbolQuality {
  const one: SymbolQuality = a ?? SymbolQuality.UNSPECIFIED;
  const other: SymbolQuality = b ?? SymbolQuality.UNSPECIFIED;
  return one > other ? one : other;
}

function hasTable(record: BinaryRecord): boolean {
  return record.table !== '' && record.source !== 'supplementary';
}

/** A file with debug information replaces one without, an unstripped one a stripped one, not the other way round. */
function isBetter(record: BinaryRecord, before: BinaryRecord, replace: boolean): boolean {
  const gain = SOURCE_QUALITY[record.source] - SOURCE_QUALITY[before.source];
  if (gain !== 0) return gain > 0;
  const completed = before.missingSupplement !== '' && record.missingSupplement === '';
  return replace || completed || record.symbols > before.symbols;
}

function problemOf(conversion: Conversion): string {
  if (conversion.symbols > 0) return conversion.problem;
  return [conversion.problem, ...conversion.warnings].join('; ');
}
