import type { BlockEntry, Snapshot, SnapshotRange } from '@fleetflame/store';
import type { UnnamedReason } from '@fleetflame/profile';
import type { SymbolLookup } from './symbol-lookup.ts';

/** What all queries of a process have together so much of, and each takes a part of while it needs it. */
export type Shared = 'decoded' | 'exports';

/** What a query asks of the thread that answers, which has the catalog, the budgets and the records of symbols. */
export interface QueryHost {
  /** Its `release` is called at the end of the query at the latest. */
  snapshot(range: SnapshotRange): Promise<Snapshot>;
  quarantine(entry: BlockEntry, reason: string): Promise<void>;
  /** Waits until there is room; resolves to what gives it back, to be called once. */
  take(shared: Shared, amount: number): Promise<() => void>;
  /** In the order of the build ids. */
  symbols(buildIds: readonly string[]): Promise<readonly LoadedSymbols[]>;
}

/** Code that is not at the addresses that its offsets in the file are. */
export type CodeSegments = readonly (readonly [offset: number, address: number, size: number])[];

/** What a build id has of names now. */
export interface LoadedSymbols {
  /** Equal as long as the names are: the key of the table, or why there is none. */
  readonly version: string;
  readonly table: SymbolLookup | undefined;
  /** Why frames have no names when there is no table. */
  readonly reason: UnnamedReason;
  /** undefined: not known. */
  readonly codeSegments: CodeSegments | undefined;
}
