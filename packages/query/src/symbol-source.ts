import { FleetflameError, type Symbolize, type SymbolLine, type UnnamedReason } from '@fleetflame/profile';
import type { Logger } from 'pino';

/** What queries need of the symbols package: its SymbolStore is one. */
export interface SymbolSource {
  /** What is known of a binary; undefined: nobody has uploaded it. */
  record(buildId: string): Promise<SymbolRecord | undefined>;
  /** The table of a build id; undefined when there is none. */
  table(buildId: string): Promise<SymbolLookup | undefined>;
}

export interface SymbolRecord {
  /** Names the table in force, another one after a better upload; "" when there is none. */
  readonly table: string;
}

/** The functions of one binary by address. */
export interface SymbolLookup {
  /** Number of functions. */
  readonly size: number;
  /** Function that covers the ELF address, -1 when none does. */
  lookup(address: number): number;
  name(index: number): string;
  systemName(index: number): string;
  file(index: number): string;
  /** First line of the function, 0 is unknown. */
  line(index: number): number;
}

interface Loaded {
  /** Equal as long as the names are: the record's table, or why there is none. */
  readonly version: string;
  readonly table: SymbolLookup | undefined;
  /** Why frames have no names when there is no table. */
  readonly reason: UnnamedReason;
  /** By function: names are decoded once in a query. */
  readonly lines: Map<number, readonly SymbolLine[]>;
}

/** The line of a function. Only exports want more than its name and file: that is read when it is asked for. */
class FunctionLine implements SymbolLine {
  readonly name: string;
  readonly filename: string;
  readonly line = 0;
  readonly #table: SymbolLookup;
  readonly #index: number;

  constructor(table: SymbolLookup, index: number) {
    this.name = table.name(index);
    this.filename = table.file(index);
    this.#table = table;
    this.#index = index;
  }

  get systemName(): string {
    return this.#table.systemName(this.#index);
  }

  get startLine(): number {
    return this.#table.line(this.#index);
  }
}

/** The symbols that one query has asked for: every build id is looked up once, so one answer is of one kind. */
export class QuerySymbols {
  readonly #source: SymbolSource;
  readonly #log: Logger;
  readonly #loaded = new Map<string, Loaded>();

  constructor(source: SymbolSource, log: Logger) {
    this.#source = source;
    this.#log = log;
  }

  /** Loads what is not loaded yet. A table that cannot be read counts as not there. */
  async load(buildIds: Iterable<string>): Promise<void> {
    for (const buildId of buildIds) {
      if (!this.#loaded.has(buildId)) this.#loaded.set(buildId, await this.#load(buildId));
    }
  }

  /** Which names a build id has in this query; changes when symbols arrive. */
  version(buildId: string): string {
    return this.#loaded.get(buildId)?.version ?? '';
  }

  /** For what was loaded. */
  readonly symbolize: Symbolize = (buildId, address) => {
    const { table, reason, lines } = this.#loaded.get(buildId) ?? UNKNOWN;
    if (table === undefined) return reason;
    const index = table.lookup(address);
    if (index < 0) return table.size === 0 ? 'no_symbols' : 'not_covered';
    let found = lines.get(index);
    if (found === undefined) {
      found = [new FunctionLine(table, index)];
      lines.set(index, found);
    }
    return found;
  };

  async #load(buildId: string): Promise<Loaded> {
    try {
      const record = await this.#source.record(buildId);
      if (record === undefined) return UNKNOWN;
      const table = record.table === '' ? undefined : await this.#source.table(buildId);
      if (table === undefined)
        return { version: 'no_symbols', table, reason: 'no_symbols', lines: new Map() };
      return { version: record.table, table, reason: 'no_symbols', lines: new Map() };
    } catch (error) {
      if (!(error instanceof FleetflameError)) throw error;
      this.#log.error({ err: error, buildId }, 'the symbols of a binary cannot be read');
      return UNKNOWN;
    }
  }
}

const UNKNOWN: Loaded = {
  version: 'not_uploaded',
  table: undefined,
  reason: 'not_uploaded',
  lines: new Map(),
};
