/**
 * What the store knows about its blocks. Every method is one transaction; a returned promise means
 * it is committed and durable.
 *
 * Life of a block's row:
 *
 *   commit, swap ──▶ live ──▶ deleted ──▶ removed ──▶ (row purged)
 *                     │       deleted_ms  removed_ms
 *                     │       object stays for queries that still read it (I6)
 *                     └─ quarantined: live, but left out of queries and merges (I7)
 *
 * A row can also start as `removed`: the sweeper writes such a tombstone before it removes an object
 * without a row, so that a writer which was stopped between object and row cannot commit any more (I3).
 */
import type { BatchId, BlockEntry, QuarantinedEntry } from './block-entry.ts';
import type { CompactionView } from './compaction-view.ts';
import type { JobQueue, Lease } from './job-queue.ts';
import type { CatalogNotes } from './notes.ts';

export interface Catalog {
  readonly jobs: JobQueue;
  readonly compaction: CompactionView;
  readonly notes: CatalogNotes;
  /**
   * The row of a new block and the batches in it, or nothing at all: when batches were committed
   * before, they are returned and nothing has changed (I2): as `duplicates` those with the content that was
   * committed, as `conflicts` those whose numbers are taken by another content. Throws unavailable when a tombstone has
   * taken the block's id, or when the batches were accepted (`acceptedMs`, the oldest of them) more than
   * ACCEPTED_FOR_MS before other batches were forgotten.
   */
  commit(block: BlockEntry, batches: readonly BatchId[], acceptedMs: number): Promise<CommitResult>;
  /**
   * What became of a commit whose answer was lost. `absent` is final: the id is taken by a tombstone, and a
   * commit that is still underway in the database is waited for.
   */
  settle(block: BlockEntry, nowMs: number): Promise<'committed' | 'absent'>;
  /**
   * Puts the outputs in place of the inputs and ends the job (I5), or does nothing at all. The caller has
   * compared the sums.
   */
  swap(swap: Swap, nowMs: number): Promise<SwapOutcome>;
  /** Adds the outputs beside the inputs, which from now on are rolled up; else like `swap`. */
  rollUp(swap: Swap, nowMs: number): Promise<SwapOutcome>;
  /** The block moves to another level as it is; no change when it is not live or has a job. */
  relevel(id: string, level: number): Promise<void>;
  /**
   * One consistent view of the live blocks with a sample in [fromMs, toMs), by default of the raw ones.
   * Throws limit_exceeded beyond VIEW_MAX_BLOCKS.
   */
  view(fromMs: number, toMs: number, resolutionsMs?: readonly number[]): Promise<CatalogView>;
  /** Live blocks with a sample in the range, quarantined ones too, by (timeMinMs, id); for people and scripts. */
  page(range: BlockRange, after: BlockPosition | undefined, limit: number): Promise<ListedBlock[]>;
  /** A live block, quarantined or not. */
  find(id: string): Promise<ListedBlock | undefined>;
  /** True when the block was live and not yet quarantined. */
  quarantine(id: string, reason: string, nowMs: number): Promise<boolean>;
  /** Live blocks that were quarantined at `sinceMs` or later, the last ones first. */
  quarantinedSince(sinceMs: number, limit: number): Promise<QuarantinedEntry[]>;
  /** True when the block was quarantined: now it is not any more. */
  release(id: string): Promise<boolean>;
  /** Blocks of the resolution whose newest sample is older become `deleted`; how many. */
  expireBlocks(resolutionMs: number, beforeMs: number, nowMs: number): Promise<number>;
  /** Batches committed before are forgotten; how many. */
  expireBatches(beforeMs: number, nowMs: number): Promise<number>;
  /** Rows deleted before `beforeMs` whose object may still be there; oldest first, at most `limit`. */
  deletedBefore(beforeMs: number, limit: number): Promise<BlockEntry[]>;
  /** Their objects are gone. */
  markRemoved(ids: readonly string[], nowMs: number): Promise<void>;
  /** Rows removed before are forgotten; how many. */
  purgeRemoved(beforeMs: number): Promise<number>;
  /** Those of the keys that have a row. */
  keyStates(keys: readonly string[]): Promise<Map<string, KeyState>>;
  /** What became of those of the blocks that have a row. */
  fates(ids: readonly string[]): Promise<Map<string, BlockFate>>;
  /** How many of the batches are committed, whatever they hold. */
  countKnown(batches: readonly BatchId[]): Promise<number>;
  /** Live blocks whose object must be there (not the quarantined ones), by id, after `id`. */
  liveAfter(id: string, limit: number): Promise<BlockEntry[]>;
  /** The live blocks of the resolution (undefined: all) whose newest sample is older. */
  liveSpan(resolutionMs: number | undefined, beforeMs: number): Promise<BlockSpan>;
  /** Takes over what the objects themselves have told (adoption/): all of it or nothing. */
  adopt(taken: TakenOver, nowMs: number): Promise<void>;
  /** True: there is no row of a block, not even of a removed one. */
  isEmpty(): Promise<boolean>;
  totals(): Promise<CatalogTotals>;
  /** The database's clock, Unix ms: one for all processes that share the catalog. */
  clockMs(): Promise<number>;
  close(): Promise<void>;
}

/**
 * From the moment that a batch was found young enough to its commit. A second or two is usual; who takes
 * longer than this has stood still, and must look at the batches' age again.
 */
export const ACCEPTED_FOR_MS = 1_800_000;

export type CommitResult =
  | { readonly committed: true }
  | {
      readonly committed: false;
      readonly duplicates: readonly BatchId[];
      readonly conflicts: readonly BatchId[];
    };

export interface Swap {
  readonly inputs: readonly string[];
  readonly outputs: readonly BlockEntry[];
  /** Undefined: no job stands behind it. */
  readonly lease?: Lease;
}

/** `inputs_gone`: one is no longer live (or rolled up already). `fenced_out`: somebody else has the job. */
export type SwapOutcome = 'swapped' | 'inputs_gone' | 'fenced_out';

export interface CatalogView {
  /** By time. */
  readonly blocks: readonly BlockEntry[];
  readonly quarantined: readonly QuarantinedEntry[];
  /** Of all live blocks; 0 when there are none. */
  readonly newestSampleMs: number;
}

export interface BlockRange {
  /** Unix ms, inclusive. */
  readonly fromMs: number;
  /** Unix ms, exclusive. */
  readonly toMs: number;
}

/** Some blocks, as a whole. */
export interface BlockSpan {
  readonly blocks: number;
  readonly bytes: number;
  /** Unix ms of the first and the last sample; 0: there are no blocks. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface TakenOver {
  /** New live rows; tombstones of the sweep make place for them. */
  readonly live: readonly BlockEntry[];
  /** What is in others too: rows of them are deleted ones from now on, and their objects go after the grace. */
  readonly replaced: readonly BlockEntry[];
  /** Ids of rows whose object is gone, since others took their place: they are deleted from now on. */
  readonly replacedRows: readonly string[];
  /** Of those that have rows already: what is in rollups too. */
  readonly rolledUp: readonly string[];
  readonly batches: Iterable<AdoptedBatch>;
  /** Whose catalog it is from now on. */
  readonly storeId: string;
}

export interface AdoptedBatch extends BatchId {
  readonly blockId: string;
  readonly writtenMs: number;
}

/** Where a page ends. */
export interface BlockPosition {
  readonly timeMinMs: number;
  readonly id: string;
}

export interface ListedBlock {
  readonly block: BlockEntry;
  /** Undefined while it is not quarantined. */
  readonly quarantine: { readonly reason: string; readonly sinceMs: number } | undefined;
}

export type KeyState = 'live' | 'quarantined' | 'deleted' | 'removed';

export interface BlockFate {
  readonly state: KeyState;
  /** What is in it is, or was, also in rollups. */
  readonly rolledUp: boolean;
}

export interface CatalogTotals {
  readonly levels: readonly LevelTotals[];
  /** Deleted, object not yet removed. */
  readonly deleted: { readonly blocks: number; readonly bytes: number };
  readonly quarantined: number;
  /** At most COUNTED_BATCHES; that many: or more. */
  readonly batches: number;
  readonly schemaVersion: number;
}

export interface LevelTotals {
  readonly level: number;
  readonly blocks: number;
  readonly bytes: number;
  readonly rows: number;
}
