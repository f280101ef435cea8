/**
 * A catalog in memory, for simulations of many histories: the contract of Catalog (catalog.contract.test.ts and
 * job-queue.contract.test.ts hold for it) without a database. Every method does all it does in one turn of the event loop, so it is
 * one transaction.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { BatchId, BlockEntry, QuarantinedEntry } from '../catalog/block-entry.ts';
import {
  ACCEPTED_FOR_MS,
  type BlockFate,
  type BlockPosition,
  type BlockRange,
  type BlockSpan,
  type Catalog,
  type CatalogTotals,
  type CatalogView,
  type CommitResult,
  type KeyState,
  type LevelTotals,
  type ListedBlock,
  type Swap,
  type SwapOutcome,
  type TakenOver,
} from '../catalog/catalog.ts';
import { ID_NOTE } from '../identity/id-note.ts';
import { batchName, sameContent } from '../catalog/known-batches.ts';
import { SCHEMA_VERSION } from '../catalog/migrations.ts';
import { MAX_SEQ } from '../catalog/sql-catalog.ts';
import { byTime, MemoryCompactionView, ordered, type MemoryBlock } from './memory-blocks.ts';
import { MemoryJobs } from './memory-jobs.ts';
import { MemoryNotes } from './memory-notes.ts';

export class MemoryCatalog implements Catalog {
  readonly jobs: MemoryJobs;
  readonly compaction: MemoryCompactionView;
  readonly notes = new MemoryNotes();
  readonly #blocks = new Map<string, MemoryBlock>();
  /** By the batch's name. */
  readonly #batches = new Map<
    string,
    { readonly committedMs: number; readonly content: string | undefined }
  >();
  #forgottenMs = 0;

  constructor() {
    this.jobs = new MemoryJobs(this.#blocks);
    this.compaction = new MemoryCompactionView(this.#blocks);
  }

  async commit(block: BlockEntry, batches: readonly BatchId[], acceptedMs: number): Promise<CommitResult> {
    this.#checkFree([block]);
    const fresh = new Map<string, string | undefined>();
    const duplicates: BatchId[] = [];
    const conflicts: BatchId[] = [];
    for (const batch of batches) {
      if (batch.seq > MAX_SEQ)
        throw new FleetflameError('invalid_input', `seq ${batch.seq} is too large`, { field: 'seq' });
      const name = batchName(batch);
      const known = this.#batches.get(name);
      if (known === undefined && !fresh.has(name)) fresh.set(name, batch.content);
      else if (sameContent(batch.content, known === undefined ? fresh.get(name) : known.content))
        duplicates.push(batch);
      else conflicts.push(batch);
    }
    if (batches.length > 0 && acceptedMs < this.#forgottenMs - ACCEPTED_FOR_MS)
      throw new FleetflameError('unavailable', 'batches were forgotten since these were accepted');
    if (duplicates.length + conflicts.length > 0)
      return Promise.resolve({ committed: false, duplicates, conflicts });
    for (const [name, content] of fresh) this.#batches.set(name, { committedMs: acceptedMs, content });
    this.#insert(block);
    return Promise.resolve({ committed: true });
  }

  async adopt(taken: TakenOver, nowMs: number): Promise<void> {
    const { live, replaced, replacedRows, rolledUp, batches, storeId } = taken;
    await this.notes.set(ID_NOTE, storeId);
    const put = (block: BlockEntry, deletedMs: number | undefined): void => {
      const known = this.#blocks.get(block.id);
      const isTombstone = known?.deletedMs !== undefined && known.entry.sizeBytes === 0;
      if (known !== undefined && !isTombstone) return;
      this.#blocks.delete(block.id);
      this.#insert(block, deletedMs);
    };
    for (const block of live) put(block, undefined);
    for (const block of replaced) put(block, nowMs);
    for (const id of [...replaced.map((block) => block.id), ...replacedRows]) {
      const known = this.#blocks.get(id);
      if (known === undefined) continue;
      known.deletedMs ??= nowMs;
      known.quarantine = undefined;
      known.jobId = undefined;
    }
    for (const id of rolledUp) {
      const known = this.#blocks.get(id);
      if (known !== undefined) known.entry = { ...known.entry, rolledUp: true };
    }
    for (const batch of batches) {
      const name = batchName(batch);
      if (!this.#batches.has(name))
        this.#batches.set(name, { committedMs: batch.writtenMs, content: undefined });
    }
  }

  settle(block: BlockEntry, nowMs: number): Promise<'committed' | 'absent'> {
    if (!this.#blocks.has(block.id)) this.#insert(block, nowMs);
    const isLive = this.#blocks.get(block.id)!.deletedMs === undefined;
    return Promise.resolve(isLive ? 'committed' : 'absent');
  }

  swap(swap: Swap, nowMs: number): Promise<SwapOutcome> {
    return this.#replace(swap, nowMs, (block) => {
      block.deletedMs = nowMs;
      block.quarantine = undefined;
    });
  }

  rollUp(swap: Swap, nowMs: number): Promise<SwapOutcome> {
    const inputs = swap.inputs.map((id) => this.#blocks.get(id));
    if (swap.lease !== undefined && !this.jobs.isHeld(swap.lease)) return Promise.resolve('fenced_out');
    if (inputs.some((block) => block?.entry.rolledUp === true)) return Promise.resolve('inputs_gone');
    return this.#replace(swap, nowMs, (block) => {
      block.entry = { ...block.entry, rolledUp: true };
    });
  }

  relevel(id: string, level: number): Promise<void> {
    const block = this.#live(id);
    if (block !== undefined && block.jobId === undefined) block.entry = { ...block.entry, level };
    return Promise.resolve();
  }

  view(fromMs: number, toMs: number, resolutionsMs: readonly number[] = [0]): Promise<CatalogView> {
    const blocks: BlockEntry[] = [];
    const quarantined: QuarantinedEntry[] = [];
    let newestSampleMs = 0;
    for (const { entry, deletedMs, quarantine } of this.#blocks.values()) {
      if (deletedMs !== undefined) continue;
      newestSampleMs = Math.max(newestSampleMs, entry.timeMaxMs);
      if (!resolutionsMs.includes(entry.resolutionMs) || !isInside(entry, { fromMs, toMs })) continue;
      if (quarantine === undefined) blocks.push(entry);
      else quarantined.push({ ...entry, ...quarantine });
    }
    return Promise.resolve({ blocks: byTime(blocks), quarantined, newestSampleMs });
  }

  page(range: BlockRange, after: BlockPosition | undefined, limit: number): Promise<ListedBlock[]> {
    const isAfter = ({ timeMinMs, id }: BlockEntry): boolean =>
      after === undefined || timeMinMs > after.timeMinMs || (timeMinMs === after.timeMinMs && id > after.id);
    const inside = this.#all().filter(({ entry }) => isInside(entry, range) && isAfter(entry));
    const entries = byTime(inside.map(({ entry }) => entry)).slice(0, limit);
    return Promise.resolve(
      entries.map((block) => ({ block, quarantine: this.#blocks.get(block.id)!.quarantine })),
    );
  }

  find(id: string): Promise<ListedBlock | undefined> {
    const block = this.#live(id);
    return Promise.resolve(block && { block: block.entry, quarantine: block.quarantine });
  }

  quarantine(id: string, reason: string, nowMs: number): Promise<boolean> {
    const block = this.#live(id);
    if (block === undefined || block.quarantine !== undefined) return Promise.resolve(false);
    block.quarantine = { reason, sinceMs: nowMs };
    return Promise.resolve(true);
  }

  quarantinedSince(sinceMs: number, limit: number): Promise<QuarantinedEntry[]> {
    const found: QuarantinedEntry[] = [];
    for (const { entry, quarantine } of this.#all()) {
      if (quarantine !== undefined && quarantine.sinceMs >= sinceMs) found.push({ ...entry, ...quarantine });
    }
    return Promise.resolve(ordered(found, (entry) => -entry.sinceMs).slice(0, limit));
  }

  release(id: string): Promise<boolean> {
    const block = this.#live(id);
    if (block?.quarantine === undefined) return Promise.resolve(false);
    block.quarantine = undefined;
    return Promise.resolve(true);
  }

  expireBlocks(resolutionMs: number, beforeMs: number, nowMs: number): Promise<number> {
    const old = this.#all().filter(
      ({ entry }) => entry.resolutionMs === resolutionMs && entry.timeMaxMs < beforeMs,
    );
    for (const block of old) {
      block.deletedMs = nowMs;
      block.quarantine = undefined;
    }
    return Promise.resolve(old.length);
  }

  expireBatches(beforeMs: number, nowMs: number): Promise<number> {
    let expired = 0;
    for (const [name, { committedMs }] of this.#batches) {
      if (committedMs >= beforeMs) continue;
      this.#batches.delete(name);
      expired++;
    }
    if (expired > 0) this.#forgottenMs = nowMs;
    return Promise.resolve(expired);
  }

  deletedBefore(beforeMs: number, limit: number): Promise<BlockEntry[]> {
    const deleted = [...this.#blocks.values()].filter(
      ({ deletedMs, removedMs }) =>
        deletedMs !== undefined && deletedMs < beforeMs && removedMs === undefined,
    );
    deleted.sort((a, b) => a.deletedMs! - b.deletedMs!);
    return Promise.resolve(deleted.slice(0, limit).map(({ entry }) => entry));
  }

  markRemoved(ids: readonly string[], nowMs: number): Promise<void> {
    for (const id of ids) {
      const block = this.#blocks.get(id);
      if (block !== undefined) block.removedMs = nowMs;
    }
    return Promise.resolve();
  }

  purgeRemoved(beforeMs: number): Promise<number> {
    let purged = 0;
    for (const [id, { removedMs }] of this.#blocks) {
      if (removedMs === undefined || removedMs >= beforeMs) continue;
      this.#blocks.delete(id);
      purged++;
    }
    return Promise.resolve(purged);
  }

  keyStates(keys: readonly string[]): Promise<Map<string, KeyState>> {
    const wanted = new Set(keys);
    const states = new Map<string, KeyState>();
    for (const block of this.#blocks.values()) {
      if (wanted.has(block.entry.key)) states.set(block.entry.key, stateOf(block));
    }
    return Promise.resolve(states);
  }

  fates(ids: readonly string[]): Promise<Map<string, BlockFate>> {
    const fates = new Map<string, BlockFate>();
    for (const id of ids) {
      const block = this.#blocks.get(id);
      if (block !== undefined) fates.set(id, { state: stateOf(block), rolledUp: block.entry.rolledUp });
    }
    return Promise.resolve(fates);
  }

  countKnown(batches: readonly BatchId[]): Promise<number> {
    return Promise.resolve(new Set(batches.map(batchName).filter((name) => this.#batches.has(name))).size);
  }

  liveAfter(id: string, limit: number): Promise<BlockEntry[]> {
    const live = this.#all().filter(({ entry, quarantine }) => quarantine === undefined && entry.id > id);
    return Promise.resolve(ordered(live.map(({ entry }) => entry)).slice(0, limit));
  }

  liveSpan(resolutionMs: number | undefined, beforeMs: number): Promise<BlockSpan> {
    const blocks = this.#all()
      .map(({ entry }) => entry)
      .filter((entry) => resolutionMs === undefined || entry.resolutionMs === resolutionMs)
      .filter((entry) => entry.timeMaxMs < beforeMs);
    return Promise.resolve({
      blocks: blocks.length,
      bytes: blocks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      fromMs: blocks.reduce((least, { timeMinMs }) => Math.min(least, timeMinMs), blocks[0]?.timeMinMs ?? 0),
      toMs: blocks.reduce((most, { timeMaxMs }) => Math.max(most, timeMaxMs), blocks[0]?.timeMaxMs ?? 0),
    });
  }

  isEmpty(): Promise<boolean> {
    return Promise.resolve(this.#blocks.size === 0);
  }

  totals(): Promise<CatalogTotals> {
    const levels = new Map<number, { -readonly [Name in keyof LevelTotals]: LevelTotals[Name] }>();
    const deleted = { blocks: 0, bytes: 0 };
    let quarantined = 0;
    for (const block of this.#blocks.values()) {
      const { level, sizeBytes, rows } = block.entry;
      if (block.removedMs !== undefined) continue;
      if (block.deletedMs !== undefined) {
        deleted.blocks++;
        deleted.bytes += sizeBytes;
        continue;
      }
      const sums = levels.get(level) ?? { level, blocks: 0, bytes: 0, rows: 0 };
      levels.set(level, sums);
      sums.blocks++;
      sums.bytes += sizeBytes;
      sums.rows += rows;
      if (block.quarantine !== undefined) quarantined++;
    }
    return Promise.resolve({
      levels: [...levels.values()].toSorted((a, b) => a.level - b.level),
      deleted,
      quarantined,
      batches: this.#batches.size,
      schemaVersion: SCHEMA_VERSION,
    });
  }

  clockMs(): Promise<number> {
    return Promise.resolve(Date.now());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #all(): MemoryBlock[] {
    return [...this.#blocks.values()].filter(({ deletedMs }) => deletedMs === undefined);
  }

  #live(id: string): MemoryBlock | undefined {
    const block = this.#blocks.get(id);
    return block?.deletedMs === undefined ? block : undefined;
  }

  #insert(entry: BlockEntry, deletedMs?: number): void {
    const rest = { removedMs: undefined, quarantine: undefined, jobId: undefined };
    this.#blocks.set(entry.id, { entry, deletedMs, ...rest });
  }

  #checkFree(blocks: readonly BlockEntry[]): void {
    const taken = blocks.find(({ id }) => this.#blocks.has(id));
    if (taken !== undefined) throw new FleetflameError('unavailable', `the id of block ${taken.id} is taken`);
  }

  async #replace(
    { inputs, outputs, lease }: Swap,
    nowMs: number,
    take: (block: MemoryBlock) => void,
  ): Promise<SwapOutcome> {
    if (lease !== undefined && !this.jobs.isHeld(lease)) return Promise.resolve('fenced_out');
    const blocks = inputs.map((id) => this.#live(id));
    if (blocks.includes(undefined)) return Promise.resolve('inputs_gone');
    this.#checkFree(outputs);
    if (lease !== undefined) this.jobs.end(lease, 'done', nowMs);
    for (const block of blocks) take(block!);
    for (const output of outputs) this.#insert(output);
    return Promise.resolve('swapped');
  }
}

function isInside({ timeMinMs, timeMaxMs }: BlockEntry, { fromMs, toMs }: BlockRange): boolean {
  return timeMaxMs >= fromMs && timeMinMs < toMs;
}

function stateOf({ removedMs, deletedMs, quarantine }: MemoryBlock): KeyState {
  if (removedMs !== undefined) return 'removed';
  if (deletedMs !== undefined) return 'deleted';
  return quarantine === undefined ? 'live' : 'quarantined';
}
