import { FleetflameError, type Symbolize, type UnnamedReason } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { SymbolChains } from './symbol-chains.ts';
import type { SymbolLookup } from './symbol-lookup.ts';

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
  /** Code that is not at the addresses that its offsets in the file are; undefined: not known. */
  readonly codeSegments?: readonly (readonly [offset: number, address: number, size: number])[] | undefined;
}

interface Loaded {
  /** Equal as long as the names are: the record's table, or why there is none. */
  readonly version: string;
  readonly chains: SymbolChains | undefined;
  readonly codeSegments?: SymbolRecord['codeSegments'];
  /** Why frames have no names when there is no table. */
  readonly reason: UnnamedReason;
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
  readonly symbolize: Symbolize = (buildId, address, isOffset) => {
    const { chains, reason, codeSegments } = this.#loaded.get(buildId) ?? UNKNOWN;
    if (chains === undefined) return reason;
    return chains.at(isOffset ? addressOf(address, codeSegments) : address);
  };

  async #load(buildId: string): Promise<Loaded> {
    try {
      const record = await this.#source.record(buildId);
      if (record === undefined) return UNKNOWN;
      const table = record.table === '' ? undefined : await this.#source.table(buildId);
      if (table === undefined) return { version: 'no_symbols', chains: undefined, reason: 'no_symbols' };
      const { codeSegments } = record;
      return { version: record.table, chains: new SymbolChains(table), codeSegments, reason: 'no_symbols' };
    } catch (error) {
      if (!(error instanceof FleetflameError)) throw error;
      this.#log.error({ err: error, buildId }, 'the symbols of a binary cannot be read');
      return UNKNOWN;
    }
  }
}

/** The ELF address of an offset in the file: the same where no segment says otherwise. */
function addressOf(offset: number, segments: SymbolRecord['codeSegments'] = []): number {
  for (const [from, address, size] of segments) {
    if (offset >= from && offset < from + size) return offset - from + address;
  }
  return offset;
}

const UNKNOWN: Loaded = {
  version: 'not_uploaded',
  chains: undefined,
  reason: 'not_uploaded',
};
