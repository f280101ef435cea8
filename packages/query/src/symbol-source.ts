import { FleetflameError, type Symbolize } from '@fleetflame/profile';
import type { Logger } from 'pino';
import type { CodeSegments, LoadedSymbols, QueryHost } from './query-host.ts';
import { readAhead } from './read-ahead.ts';
import { SymbolChains } from './symbol-chains.ts';
import type { SymbolLookup } from './symbol-lookup.ts';

/** What queries need of the symbols package: its SymbolStore is one. */
export interface SymbolSource<Table extends SymbolLookup = SymbolLookup> {
  /** What is known of a binary; undefined: nobody has uploaded it. */
  record(buildId: string): Promise<SymbolRecord | undefined>;
  /** The table of a build id; undefined when there is none. */
  table(buildId: string): Promise<Table | undefined>;
}

export interface SymbolRecord {
  /** Names the table in force, another one after a better upload; "" when there is none. */
  readonly table: string;
  readonly codeSegments?: CodeSegments | undefined;
}

/** Records are small, and each is a read of the storage the first time. */
const RECORDS_AHEAD = 16;

const UNKNOWN: LoadedSymbols = {
  version: 'not_uploaded',
  table: undefined,
  reason: 'not_uploaded',
  codeSegments: undefined,
};

/** What build ids have of names, in their order. A table that cannot be read counts as not there. */
export async function loadSymbols<Table extends SymbolLookup>(
  source: SymbolSource<Table>,
  buildIds: readonly string[],
  log: Logger,
): Promise<(LoadedSymbols & { readonly table: Table | undefined })[]> {
  const unknown = { ...UNKNOWN, table: undefined };
  const load = async (buildId: string): Promise<LoadedSymbols & { readonly table: Table | undefined }> => {
    try {
      const record = await source.record(buildId);
      if (record === undefined) return unknown;
      const table = record.table === '' ? undefined : await source.table(buildId);
      const reason = 'no_symbols';
      const { codeSegments } = record;
      return { version: table === undefined ? reason : record.table, table, reason, codeSegments };
    } catch (error) {
      if (!(error instanceof FleetflameError)) throw error;
      log.error({ err: error, buildId }, 'the symbols of a binary cannot be read');
      return unknown;
    }
  };
  const all = [];
  for await (const loaded of readAhead(buildIds, RECORDS_AHEAD, load)) all.push(loaded);
  return all;
}

interface Loaded extends LoadedSymbols {
  readonly chains: SymbolChains | undefined;
}

/** The symbols that one query has asked for: every build id is looked up once, so one answer is of one kind. */
export class QuerySymbols {
  readonly #source: Pick<QueryHost, 'symbols'>;
  readonly #loaded = new Map<string, Loaded>();

  constructor(source: Pick<QueryHost, 'symbols'>) {
    this.#source = source;
  }

  /** Loads what is not loaded yet. */
  async load(buildIds: Iterable<string>): Promise<void> {
    const wanted: string[] = [];
    for (const buildId of buildIds) if (!this.#loaded.has(buildId)) wanted.push(buildId);
    if (wanted.length === 0) return;
    const loaded = await this.#source.symbols(wanted);
    for (const [i, buildId] of wanted.entries()) {
      const symbols = loaded[i] ?? UNKNOWN;
      const chains = symbols.table === undefined ? undefined : new SymbolChains(symbols.table);
      // Nobody else of this query has asked meanwhile; if so, the first answer stays.
      if (!this.#loaded.has(buildId)) this.#loaded.set(buildId, { ...symbols, chains });
    }
  }

  /** Which names a build id has in this query; changes when symbols arrive. */
  version(buildId: string): string {
    return this.#loaded.get(buildId)?.version ?? '';
  }

  /** For what was loaded. */
  readonly symbolize: Symbolize = (buildId, address, isOffset) => {
    const known = this.#loaded.get(buildId);
    if (known?.chains === undefined) return known?.reason ?? UNKNOWN.reason;
    return known.chains.at(isOffset ? addressOf(address, known.codeSegments) : address);
  };
}

/** The ELF address of an offset in the file: the same where no segment says otherwise. */
function addressOf(offset: number, segments: CodeSegments = []): number {
  for (const [from, address, size] of segments) {
    if (offset >= from && offset < from + size) return offset - from + address;
  }
  return offset;
}
