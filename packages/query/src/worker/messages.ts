/**
 * What passes between the thread that answers and the threads that work on queries. Plain values and bytes only; an
 * answer's bytes are handed over, not copied.
 *
 *   ask ──▶                                 cancel ──▶
 *        ◀── snapshot, symbols, take, …          a request to the thread that answers, on behalf of a call
 *   granted, refused ──▶
 *        ◀── giveBack                            what a request got is no longer needed
 *        ◀── answered, failed                    whatever the call still has is given back
 */
import type { BlockEntry, ObjectStoreConfig, ReaderEvent, Snapshot, SnapshotRange } from '@fleetflame/store';
import type { SymbolColumns } from '@fleetflame/symbols';
import type { CacheCells } from '../cache-share.ts';
import type { Question } from '../engine.ts';
import type { QueryLimits } from '../limits.ts';
import type { LoadedSymbols, Shared } from '../query-host.ts';
import type { CallFailure } from './call-failure.ts';
import type { CounterChange } from './counter-relay.ts';

export interface WorkerSettings {
  readonly limits: QueryLimits;
  readonly objects: ObjectStoreConfig;
  readonly cells: CacheCells;
  /** Its number, from 0. */
  readonly thread: number;
  readonly logLevel: string;
}

/** What is worked on: a question, or a symbol table that is to be decoded, by its key. */
export type Work =
  | { readonly kind: 'question'; readonly question: Question }
  | { readonly kind: 'symbols'; readonly key: string };

export type HostRequest =
  | { readonly kind: 'snapshot'; readonly range: SnapshotRange }
  | { readonly kind: 'quarantine'; readonly entry: BlockEntry; readonly reason: string }
  | { readonly kind: 'take'; readonly shared: Shared; readonly amount: number }
  /** `known`: keys of tables that the worker still has. */
  | { readonly kind: 'symbols'; readonly buildIds: readonly string[]; readonly known: ReadonlySet<string> };

export interface SentSymbols extends Omit<LoadedSymbols, 'table'> {
  /** In memory that is shared; `known`: the worker has it. */
  readonly table: SymbolColumns | 'known' | undefined;
}

/** What requests get, by their kind. */
export interface HostAnswers {
  readonly snapshot: Omit<Snapshot, 'release'>;
  readonly quarantine: undefined;
  readonly take: undefined;
  readonly symbols: readonly SentSymbols[];
}

export type ToWorker =
  | { readonly kind: 'ask'; readonly call: number; readonly work: Work }
  | { readonly kind: 'cancel'; readonly call: number; readonly failure: CallFailure }
  | { readonly kind: 'granted'; readonly request: number; readonly value: HostAnswers[HostRequest['kind']] }
  | { readonly kind: 'refused'; readonly request: number; readonly failure: CallFailure }
  | { readonly kind: 'trim' };

export type FromWorker =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'answered';
      readonly call: number;
      readonly value: Uint8Array | SymbolColumns;
      readonly counts: readonly CounterChange[];
    }
  | {
      readonly kind: 'failed';
      readonly call: number;
      readonly failure: CallFailure;
      readonly counts: readonly CounterChange[];
    }
  | {
      readonly kind: 'request';
      readonly request: number;
      readonly call: number;
      readonly wanted: HostRequest;
    }
  | { readonly kind: 'giveBack'; readonly request: number; readonly call: number }
  /** Other threads hold more of a cache than their part. */
  | { readonly kind: 'pressed' }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'store'; readonly event: ReaderEvent };
