/**
 * Tables of all binaries: what is stored, what is in memory. Records (a few hundred bytes) are remembered as they are
 * asked for; tables are inflated when first looked up and kept, least recently used out first, within a bound.
 */
import { FleetflameError } from '@fleetflame/profile';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { agrees } from './agreement.ts';
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
  /** The sender's name. Default: unknown. */
  readonly uploader?: string;
}

export class SymbolStore {
  /** Called for a build id that names were wanted of, with what there is; must return at once. */
  onAsked: ((buildId: string, record: BinaryRecord | undefined) => void) | undefined;
  /** Reads and decodes a table by its key; default: here. Throws what that throws. */
  decode: (key: string) => Promise<SymbolTable> = async (key) =>
    decodeSymbolTable(await this.#storage.get(key));
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
  /** Keys of tables that a file of another sender agrees with. */
  readonly #corroborated = new Set<string>();

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

  /**
   * Stores the table of a binary, unless a better one is there or one that it contradicts. Returns what is in force,
   * with the reason as its problem if that is not what was given.
   */
  async add(file: StoredFile, conversion: Conversion): Promise<BinaryRecord> {
    const before = await this.#records.read(file.buildId);
    const uploadedMs = this.#now();
    const keys = recordKeys(file.buildId, uploadedMs, conversion.table);
    const table = `${keys.stem}.table`;
    const record: BinaryRecord = {
      ...headOf(file),
      symbols: conversion.symbols,
      // Files of debug information do not say: what the binary itself said stays.
      codeSegments: conversion.codeSegments ?? before?.codeSegments,
      source: conversion.source,
      problem: problemOf(conversion),
      table,
      tableBytes: conversion.table.length,
      uploadedMs,
      lines: conversion.lineRows,
      inlines: conversion.inlines,
      attempted: file.attempted ?? SymbolQuality.UNSPECIFIED,
      missingSupplement: conversion.missingSupplement?.buildId ?? '',
      replaced: before === undefined || !hasTable(before) ? '' : describe(before),
    };
    if (before !== undefined && hasTable(before)) {
      if (!isBetter(record, before, file.replace ?? false)) {
        await this.#corroborate(before, record, conversion.table);
        if (record.attempted <= SOURCE_QUALITY[before.source]) return before;
        return { ...before, problem: `a file said to be better was no better: ${whyOf(record)}` };
      }
      // Also of the same content: that is a name that the sender gave.
      if (!(await this.#agrees(before, record, conversion.table))) {
        this.#metrics.contradicting.inc();
        this.#log.warn(
          { buildId: file.buildId, inForce: describe(before), given: describe(record) },
          'a file contradicts the symbols of its build id and is not taken',
        );
        return { ...before, problem: `a file with other functions was not taken: ${describe(record)}` };
      }
      if (isOther(record, before)) this.#note(record);
      this.#log.info(
        { buildId: file.buildId, replaced: describe(before), by: describe(record) },
        'symbols are replaced by better ones',
      );
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
    const before = await this.#records.read(file.buildId);
    // A binary's build id is no supplementary file's: one of them is made up, and the one in force stays.
    if (before !== undefined && hasTable(before)) return before;
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

  /** Says why a binary has no table, for people. A table in force stays, and says nothing of others' failures. */
  async addFailure(file: StoredFile, problem: string): Promise<BinaryRecord> {
    const before = await this.#records.read(file.buildId);
    const uploadedMs = this.#now();
    const attempted = SymbolQuality.UNSPECIFIED;
    const record: BinaryRecord = { ...EMPTY, ...headOf(file), problem, uploadedMs, attempted };
    if (before !== undefined && before.table !== '') return { ...before, problem };
    // Who sends junk again and again must not fill the storage.
    if (before !== undefined && uploadedMs - before.uploadedMs < FAILURE_SAID_MS) return record;
    await this.#records.write(recordKeys(file.buildId, uploadedMs, encodeRecord(record)).record, record);
    return record;
  }

  /** Resolves when nothing is under way behind the back of callers. */
  async settled(): Promise<void> {
    await this.#records.settled();
  }

  /**
   * Whether a file of the same quality from somebody else is of use: who was first may have sent less than there is. One
   * that agrees is enough; this server's own knowledge, so after a start one more of each is taken.
   */
  wantsOpinion(
    record: BinaryRecord,
    { uploader, content }: { readonly uploader: string; readonly content: string },
  ): boolean {
    if (!hasTable(record) || record.origin.includes('://')) return false;
    if (uploader === '' || content === '' || record.uploader === '' || record.content === '') return false;
    const isElse = uploader !== record.uploader && content !== record.content;
    return isElse && !this.#corroborated.has(record.table);
  }

  async #corroborate(before: BinaryRecord, given: BinaryRecord, bytes: Uint8Array): Promise<void> {
    if (!isOther(given, before) || given.symbols === 0) return;
    const inForce = this.#tables.get(before.table) ?? (await this.#load(before));
    // The one with fewer functions is looked for in the other one.
    if (inForce !== undefined && agrees(await decodeSymbolTable(bytes), inForce, true)) this.#note(before);
  }

  #note({ table }: BinaryRecord): void {
    this.#corroborated.add(table);
    for (const oldest of this.#corroborated) {
      if (this.#corroborated.size <= MAX_CORROBORATED) break;
      this.#corroborated.delete(oldest);
    }
  }

  async #agrees(before: BinaryRecord, next: BinaryRecord, bytes: Uint8Array): Promise<boolean> {
    const inForce = this.#tables.get(before.table) ?? (await this.#load(before));
    // A damaged one says nothing.
    if (inForce === undefined) return true;
    const isBetterSource = SOURCE_QUALITY[next.source] > SOURCE_QUALITY[before.source];
    return agrees(inForce, await decodeSymbolTable(bytes), isBetterSource);
  }

  async #load(record: BinaryRecord): Promise<SymbolTable | undefined> {
    this.#metrics.lookups.inc({ result: 'miss' });
    for (let current = record; ;) {
      try {
        const table = await this.decode(current.table);
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
  replaced: '',
} as const;

/** The reason why a build id has no table is written so often at most. */
const FAILURE_SAID_MS = 600_000;
/** Some hundred bytes each. */
const MAX_CORROBORATED = 100_000;

function headOf(
  file: StoredFile,
): Pick<BinaryRecord, 'buildId' | 'fileName' | 'uploadBytes' | 'content' | 'origin' | 'uploader'> {
  const { buildId, fileName, uploadBytes, content = '', origin = 'upload', uploader = '' } = file;
  return { buildId, fileName, uploadBytes, content, origin, uploader };
}

/** Of another sender. */
function isOther(a: BinaryRecord, b: BinaryRecord): boolean {
  return a.uploader !== '' && b.uploader !== '' && a.uploader !== b.uploader;
}

/** Of whom something is, for people. */
function describe({ source, symbols, origin, uploader, uploadedMs }: BinaryRecord): string {
  const who = uploader === '' ? origin : `${origin} ${uploader.slice(0, 8)}`;
  return `${source} with ${symbols} functions, of ${who}, ${new Date(uploadedMs).toISOString()}`;
}

function whyOf(record: BinaryRecord): string {
  return record.problem === '' ? `it gave ${record.source}` : record.problem;
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
