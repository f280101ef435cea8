/** What passes between the thread that answers and the threads that decode. Plain values and bytes only. */
import type { ErrorCode, ImportChange, SeriesKind } from '@fleetflame/profile';
import type { IngestLimits, RefusalReason } from '../limits.ts';
import type { ImplausibleReason } from './refusals.ts';

/** A batch as it was sent, in bytes of its own, which are handed over. */
export type BatchInput =
  | {
      readonly kind: 'agent';
      readonly bytes: Uint8Array;
      readonly nowMs: number;
      /** CPUs of the host; 0: not known. */
      readonly cpus: number;
    }
  | {
      readonly kind: 'pprof';
      readonly bytes: Uint8Array;
      readonly nowMs: number;
      readonly labels: Readonly<Record<string, string>>;
      /** Unix ms of all samples; undefined: the file's own. */
      readonly timeMs: number | undefined;
      /** Of its format, and of its values where the file cannot say; "": found out. */
      readonly format: string;
      readonly type: string;
      readonly unit: string;
      /** Of all series; undefined: by the names of their types. */
      readonly seriesKind: SeriesKind | undefined;
      /** What of these is part of the content. */
      readonly hashed: Readonly<Record<string, string>>;
    };

/** What the thread that answers needs to know of a batch that was found good. */
export interface TakenBatch {
  /** Hash of what was sent. */
  readonly content: string;
  /** Sample rows. */
  readonly rows: number;
  /** There is nothing to store, and the worker keeps nothing. */
  readonly nothing: boolean;
  readonly memoryBytes: number;
  readonly timeStartMs: number;
  /** One per series. */
  readonly fingerprints: Float64Array;
  readonly seconds: number;
  /** The dictionaries are full: the open segment should be written. */
  readonly full: boolean;
  /** Of a pushed file. */
  readonly push: PushSummary | undefined;
}

export interface PushSummary {
  readonly format: string;
  readonly totals: readonly (readonly [profileType: string, total: number])[];
  readonly timeMs: number;
  readonly changes: readonly ImportChange[];
}

/** The block of some batches as the bytes of its object. */
export interface SealedBatches {
  readonly bytes: Uint8Array;
  readonly timeStartMs: number;
  readonly timeEndMs: number;
  readonly rows: number;
  readonly points: number;
  readonly mergeSeconds: number;
  readonly encodeSeconds: number;
}

/** Batches are known by numbers that the thread that answers gives them. */
export type WorkerCall =
  | { readonly call: 'take'; readonly batch: number; readonly input: BatchInput }
  | { readonly call: 'seal'; readonly batches: readonly number[] };

export type WorkerRequest =
  | { readonly id: number; readonly request: WorkerCall }
  | { readonly forget: readonly number[] };

export interface WorkerFailure {
  readonly code: ErrorCode | 'internal';
  readonly message: string;
  readonly field: string | undefined;
  /** Why a batch was refused, for the counter. */
  readonly reason: RefusalReason | undefined;
  readonly implausible: ImplausibleReason | undefined;
  /** The worker of ordinary batches gave up: the one for heavy ones may take it, `bytes` are its bytes again. */
  readonly heavy: boolean;
  readonly bytes?: Uint8Array;
}

export type WorkerReply =
  | { readonly id: number; readonly ok: true; readonly value: TakenBatch | SealedBatches }
  | { readonly id: number; readonly ok: false; readonly failure: WorkerFailure };

export interface WorkerSettings {
  readonly limits: IngestLimits;
  readonly retentionMs: number;
  /** Takes what ordinary workers give up on. */
  readonly heavy: boolean;
}
