import { FleetflameError, type Symbolize, type SymbolLine } from '@fleetflame/profile';
import type { Logger } from 'pino';

/** What queries need of the symbols package: its SymbolStore is one. */
export interface SymbolSource {
  /** The table of a build id; undefined when there is none. */
  table(buildId: string): Promise<SymbolLookup | undefined>;
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

/** The symbols that one query has asked for: every build id is looked up once. */
export class QuerySymbols {
  readonly #source: SymbolSource;
  readonly #log: Logger;
  readonly #tables = new Map<string, SymbolLookup | undefined>();

  constructor(source: SymbolSource, log: Logger) {
    this.#source = source;
    this.#log = log;
  }

  /** Loads what is not loaded yet. A table that cannot be read counts as not there. */
  async load(buildIds: Iterable<string>): Promise<void> {
    for (const buildId of buildIds) {
      if (this.#tables.has(buildId)) continue;
      let table: SymbolLookup | undefined;
      try {
        table = await this.#source.table(buildId);
      } catch (error) {
        if (!(error instanceof FleetflameError)) throw error;
        this.#log.error({ err: error, buildId }, 'a symbol table cannot be read');
      }
      this.#tables.set(buildId, table);
    }
  }

  has(buildId: string): boolean {
    return this.#tables.get(buildId) !== undefined;
  }

  /** For what was loaded; anything else has not been uploaded. */
  readonly symbolize: Symbolize = (buildId, address) => {
    const table = this.#tables.get(buildId);
    if (table === undefined) return 'not_uploaded';
    const index = table.lookup(address);
    if (index < 0) return table.size === 0 ? 'no_symbols' : 'not_covered';
    const line: SymbolLine = {
      name: table.name(index),
      systemName: table.systemName(index),
      filename: table.file(index),
      startLine: table.line(index),
      line: 0,
    };
    return [line];
  };
}
