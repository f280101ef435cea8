/** The catalog in SQL, the same for every engine: portable statements, no engine's own functions. */
import { FleetflameError } from '@fleetflame/profile';
import { sql, type Transaction } from 'kysely';
import type { BatchId, BlockEntry, QuarantinedEntry } from './block-entry.ts';
import type {
  BlockFate,
  BlockPosition,
  BlockRange,
  BlockSpan,
  Catalog,
  CatalogTotals,
  CatalogView,
  CommitResult,
  KeyState,
  LevelTotals,
  ListedBlock,
  Swap,
  SwapOutcome,
} from './catalog.ts';
import { batchName, committedContents, KnownBatches } from './known-batches.ts';
import { blockRow, entryOf, insertBlocks, listedBlock, liveBlocks, stateOf } from './block-rows.ts';
import { ACCEPTED_FOR_MS, type TakenOver } from './catalog.ts';
import { adopt } from './sql-adopt.ts';
import type { CatalogEngine } from './catalog-engine.ts';
import { chunks } from './chunks.ts';
import type { CompactionView } from './compaction-view.ts';
import type { JobQueue } from './job-queue.ts';
import { migrate } from './migrate.ts';
import type { CatalogNotes } from './notes.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { SqlCompactionView } from './sql-compaction-view.ts';
import { finishJob, SqlJobQueue } from './sql-job-queue.ts';
import { SqlNotes } from './sql-notes.ts';
import type { Tables } from './tables.ts';
import { catalogError, Refusal, Transactor, type OnTransaction } from './transactor.ts';

/** `seq` beyond it would not survive the way through a float64. */
export const MAX_SEQ = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Blocks of one view. A day of compacted blocks is some twenty per shard; so many are a store whose
 * compaction has fallen far behind, or a range that no worker could answer.
 */
export const VIEW_MAX_BLOCKS = 50_000;

/** Row of `meta`: when batches were forgotten the last time, Unix ms. */
const FORGOTTEN = 'batches_forgotten_ms';

/** Rows that one transaction of the background changes: it holds their locks, and must not hold them long. */
const BACKGROUND_ROWS = 5000;

/** Counting further would read a whole large table whenever somebody looks. */
export const COUNTED_BATCHES = 100_000;

export class SqlCatalog implements Catalog {
  readonly jobs: JobQueue;
  readonly compaction: CompactionView;
  readonly notes: CatalogNotes;
  readonly #engine: CatalogEngine;
  readonly #transactor: Transactor;

  private constructor(engine: CatalogEngine, onTransaction?: OnTransaction) {
    this.#engine = engine;
    this.#transactor = new Transactor(engine, onTransaction);
    this.jobs = new SqlJobQueue(this.#transactor);
    this.compaction = new SqlCompactionView(this.#transactor);
    this.notes = new SqlNotes(this.#transactor);
  }

  /** Takes over `engine`: `close` closes it. */
  static async open(engine: CatalogEngine, onTransaction?: OnTransaction): Promise<SqlCatalog> {
    try {
      await engine.checkDurability();
      await migrate(engine);
    } catch (error) {
      await engine.db.destroy();
      throw catalogError('opened', error);
    }
    return new SqlCatalog(engine, onTransaction);
  }

  clockMs(): Promise<number> {
    return this.#engine.clockMs();
  }

  async commit(block: BlockEntry, batches: readonly BatchId[], acceptedMs: number): Promise<CommitResult> {
    try {
      await this.#transactor.write('commit a segment', async (tx) => {
        await insertBlocks(tx, [block], acceptedMs);
        const known: BatchId[] = [];
        const contents = new Map<string, string | undefined>();
        // In one order for everybody: two segments that share batches wait for each other, not both.
        for (const chunk of chunks(batches.toSorted(byAgentAndSeq))) {
          const inserted = await tx
            .insertInto('batches')
            .values(chunk.map((batch) => batchRow(batch, block.id, acceptedMs)))
            .onConflict((conflict) => conflict.columns(['agent_id', 'seq']).doNothing())
            .returning(['agent_id', 'seq'])
            .execute();
          if (inserted.length === chunk.length) continue;
          const fresh = new Set(inserted.map((row) => `${row.seq} ${row.agent_id}`));
          const taken: BatchId[] = [];
          for (const batch of chunk) {
            const name = batchName(batch);
            // A batch that is named twice counts once: its second mention is the repeat.
            if (fresh.delete(name)) contents.set(name, batch.content);
            else taken.push(batch);
          }
          for (const [name, content] of await committedContents(tx, taken)) {
            if (!contents.has(name)) contents.set(name, content);
          }
          known.push(...taken);
        }
        // Behind the inserts: what was forgotten before them shows here, and what is forgotten later was seen by them.
        if (batches.length > 0) await refuseIfForgotten(tx, block, acceptedMs);
        if (known.length > 0) throw new KnownBatches(inOrderOf(batches, known), contents);
      });
    } catch (error) {
      if (error instanceof KnownBatches) {
        return { committed: false, duplicates: error.duplicates, conflicts: error.conflicts };
      }
      throw error;
    }
    return { committed: true };
  }

  async settle(block: BlockEntry, nowMs: number): Promise<'committed' | 'absent'> {
    return this.#transactor.write('settle a commit', async (tx) => {
      const tombstone = { ...blockRow(block, nowMs), deleted_ms: nowMs };
      const taken = await tx
        .insertInto('blocks')
        .values(tombstone)
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .execute();
      if (taken.length > 0) return 'absent';
      const row = await tx
        .selectFrom('blocks')
        .select('deleted_ms')
        .where('id', '=', block.id)
        .executeTakeFirst();
      return row?.deleted_ms === null ? 'committed' : 'absent';
    });
  }

  async swap(swap: Swap, nowMs: number): Promise<SwapOutcome> {
    return this.#replace('swap blocks', swap, nowMs, async (tx, chunk) => {
      const { numUpdatedRows } = await tx
        .updateTable('blocks')
        .set({ deleted_ms: nowMs })
        .where('id', 'in', chunk)
        .where('deleted_ms', 'is', null)
        .executeTakeFirst();
      await tx.deleteFrom('quarantine').where('block_id', 'in', chunk).execute();
      return numUpdatedRows;
    });
  }

  async rollUp(swap: Swap, nowMs: number): Promise<SwapOutcome> {
    return this.#replace('add rollups', swap, nowMs, async (tx, chunk) => {
      const { numUpdatedRows } = await tx
        .updateTable('blocks')
        .set({ rolled_up: 1 })
        .where('id', 'in', chunk)
        .where('deleted_ms', 'is', null)
        .where('rolled_up', '=', 0)
        .executeTakeFirst();
      return numUpdatedRows;
    });
  }

  async relevel(id: string, level: number): Promise<void> {
    await this.#transactor.write('move a block to another level', (tx) =>
      tx
        .updateTable('blocks')
        .set({ level })
        .where('id', '=', id)
        .where('deleted_ms', 'is', null)
        .where('job_id', 'is', null)
        .execute(),
    );
  }

  async view(fromMs: number, toMs: number, resolutionsMs: readonly number[] = [0]): Promise<CatalogView> {
    return this.#transactor.read('read a snapshot', async (tx) => {
      const rows = await liveBlocks(tx)
        .where('resolution_ms', 'in', resolutionsMs)
        .where('time_max_ms', '>=', fromMs)
        .where('time_min_ms', '<', toMs)
        .orderBy('time_min_ms')
        .orderBy('id')
        .limit(VIEW_MAX_BLOCKS + 1)
        .execute();
      if (rows.length > VIEW_MAX_BLOCKS) throw tooManyBlocks(fromMs, toMs);
      const newest = await tx
        .selectFrom('blocks')
        .select((expression) => expression.fn.max('time_max_ms').as('time'))
        .where('deleted_ms', 'is', null)
        .executeTakeFirst();
      const blocks: BlockEntry[] = [];
      const quarantined: QuarantinedEntry[] = [];
      for (const { block, quarantine } of rows.map(listedBlock)) {
        if (quarantine === undefined) blocks.push(block);
        else quarantined.push({ ...block, ...quarantine });
      }
      return { blocks, quarantined, newestSampleMs: newest?.time ?? 0 };
    });
  }

  async page(range: BlockRange, after: BlockPosition | undefined, limit: number): Promise<ListedBlock[]> {
    return this.#transactor.read('list blocks', async (tx) => {
      let rows = liveBlocks(tx)
        .where('time_max_ms', '>=', range.fromMs)
        .where('time_min_ms', '<', range.toMs)
        .orderBy('time_min_ms')
        .orderBy('id')
        .limit(limit);
      if (after !== undefined) {
        const { timeMinMs, id } = after;
        rows = rows.where((where) =>
          where.or([
            where('time_min_ms', '>', timeMinMs),
            where.and([where('time_min_ms', '=', timeMinMs), where('id', '>', id)]),
          ]),
        );
      }
      return (await rows.execute()).map(listedBlock);
    });
  }

  async find(id: string): Promise<ListedBlock | undefined> {
    return this.#transactor.read('find a block', async (tx) => {
      const row = await liveBlocks(tx).where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : listedBlock(row);
    });
  }

  async quarantine(id: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#transactor.write('quarantine a block', async (tx) => {
      // Changes nothing but holds the row: a swap that would delete it waits, or has deleted it already.
      const { numUpdatedRows } = await tx
        .updateTable('blocks')
        .set((row) => ({ level: row.ref('level') }))
        .where('id', '=', id)
        .where('deleted_ms', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return false;
      const inserted = await tx
        .insertInto('quarantine')
        .values({ block_id: id, reason, since_ms: nowMs })
        .onConflict((conflict) => conflict.column('block_id').doNothing())
        .returning('block_id')
        .execute();
      return inserted.length > 0;
    });
  }

  async quarantinedSince(sinceMs: number, limit: number): Promise<QuarantinedEntry[]> {
    return this.#transactor.read('list quarantined blocks', async (tx) => {
      const rows = await liveBlocks(tx)
        .where('quarantine.since_ms', '>=', sinceMs)
        .orderBy('quarantine.since_ms', 'desc')
        .orderBy('blocks.id')
        .limit(limit)
        .execute();
      return rows
        .map(listedBlock)
        .flatMap(({ block, quarantine }) => (quarantine === undefined ? [] : [{ ...block, ...quarantine }]));
    });
  }

  async release(id: string): Promise<boolean> {
    return this.#transactor.write('release a block', async (tx) => {
      const { numDeletedRows } = await tx
        .deleteFrom('quarantine')
        .where('block_id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    });
  }

  async expireBlocks(resolutionMs: number, beforeMs: number, nowMs: number): Promise<number> {
    return this.#inPieces('expire blocks', async (tx) => {
      const expired = await tx
        .updateTable('blocks')
        .set({ deleted_ms: nowMs })
        .where('deleted_ms', 'is', null)
        .where('id', 'in', (old) =>
          old
            .selectFrom('blocks')
            .select('id')
            .where('deleted_ms', 'is', null)
            .where('resolution_ms', '=', resolutionMs)
            .where('time_max_ms', '<', beforeMs)
            .limit(BACKGROUND_ROWS),
        )
        .returning('id')
        .execute();
      for (const chunk of chunks(expired.map((row) => row.id))) {
        await tx.deleteFrom('quarantine').where('block_id', 'in', chunk).execute();
      }
      return expired.length;
    });
  }

  async expireBatches(beforeMs: number, nowMs: number): Promise<number> {
    return this.#inPieces('expire batches', async (tx) => {
      // By ranges of time, since the table is large and rows are many: what a second committed goes at once.
      const edge = await tx
        .selectFrom('batches')
        .select('committed_ms')
        .where('committed_ms', '<', beforeMs)
        .orderBy('committed_ms')
        .offset(BACKGROUND_ROWS - 1)
        .limit(1)
        .executeTakeFirst();
      const before = edge === undefined ? beforeMs : edge.committed_ms + 1;
      const result = await tx.deleteFrom('batches').where('committed_ms', '<', before).executeTakeFirst();
      if (result.numDeletedRows > 0n) await writeMeta(tx, FORGOTTEN, nowMs);
      return Number(result.numDeletedRows);
    });
  }

  async deletedBefore(beforeMs: number, limit: number): Promise<BlockEntry[]> {
    return this.#transactor.read('list deleted blocks', async (tx) => {
      const rows = await tx
        .selectFrom('blocks')
        .selectAll()
        .where('deleted_ms', '<', beforeMs)
        .where('removed_ms', 'is', null)
        .orderBy('deleted_ms')
        .limit(limit)
        .execute();
      return rows.map(entryOf);
    });
  }

  async markRemoved(ids: readonly string[], nowMs: number): Promise<void> {
    await this.#transactor.write('mark blocks removed', async (tx) => {
      for (const chunk of chunks(ids)) {
        await tx.updateTable('blocks').set({ removed_ms: nowMs }).where('id', 'in', chunk).execute();
      }
    });
  }

  async purgeRemoved(beforeMs: number): Promise<number> {
    return this.#inPieces('purge removed blocks', async (tx) => {
      const result = await tx
        .deleteFrom('blocks')
        .where('id', 'in', (old) =>
          old.selectFrom('blocks').select('id').where('removed_ms', '<', beforeMs).limit(BACKGROUND_ROWS),
        )
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    });
  }

  async keyStates(keys: readonly string[]): Promise<Map<string, KeyState>> {
    return this.#transactor.read('look up keys', async (tx) => {
      const states = new Map<string, KeyState>();
      for (const chunk of chunks(keys)) {
        const rows = await tx
          .selectFrom('blocks')
          .leftJoin('quarantine', 'quarantine.block_id', 'blocks.id')
          .select(['object_key', 'deleted_ms', 'removed_ms', 'quarantine.block_id'])
          .where('object_key', 'in', chunk)
          .execute();
        for (const row of rows) states.set(row.object_key, stateOf(row));
      }
      return states;
    });
  }

  async fates(ids: readonly string[]): Promise<Map<string, BlockFate>> {
    return this.#transactor.read('look up blocks', async (tx) => {
      const fates = new Map<string, BlockFate>();
      for (const chunk of chunks(ids)) {
        const rows = await tx
          .selectFrom('blocks')
          .leftJoin('quarantine', 'quarantine.block_id', 'blocks.id')
          .select(['id', 'deleted_ms', 'removed_ms', 'rolled_up', 'quarantine.block_id'])
          .where('id', 'in', chunk)
          .execute();
        for (const row of rows) fates.set(row.id, { state: stateOf(row), rolledUp: row.rolled_up === 1 });
      }
      return fates;
    });
  }

  async countKnown(batches: readonly BatchId[]): Promise<number> {
    return this.#transactor.read(
      'look up batches',
      async (tx) => (await committedContents(tx, batches)).size,
    );
  }

  async liveAfter(id: string, limit: number): Promise<BlockEntry[]> {
    return this.#transactor.read('list live blocks', async (tx) => {
      const rows = await liveBlocks(tx)
        .where('blocks.id', '>', id)
        .where('quarantine.block_id', 'is', null)
        .orderBy('blocks.id')
        .limit(limit)
        .execute();
      return rows.map(entryOf);
    });
  }

  async liveSpan(resolutionMs: number | undefined, beforeMs: number): Promise<BlockSpan> {
    return this.#transactor.read('measure blocks', async (tx) => {
      let blocks = tx
        .selectFrom('blocks')
        .select((expression) => [
          expression.fn.countAll<number>().as('blocks'),
          expression.fn.sum<number | null>('size_bytes').as('bytes'),
          expression.fn.min<number | null>('time_min_ms').as('from'),
          expression.fn.max<number | null>('time_max_ms').as('to'),
        ])
        .where('deleted_ms', 'is', null)
        .where('time_max_ms', '<', beforeMs);
      if (resolutionMs !== undefined) blocks = blocks.where('resolution_ms', '=', resolutionMs);
      const span = await blocks.executeTakeFirstOrThrow();
      return { blocks: span.blocks, bytes: span.bytes ?? 0, fromMs: span.from ?? 0, toMs: span.to ?? 0 };
    });
  }

  async adopt(taken: TakenOver, nowMs: number): Promise<void> {
    await this.#transactor.write('adopt blocks', (tx) => adopt(tx, taken, nowMs));
  }

  async isEmpty(): Promise<boolean> {
    return this.#transactor.read('look for blocks', async (tx) => {
      return (await tx.selectFrom('blocks').select('id').limit(1).executeTakeFirst()) === undefined;
    });
  }

  async totals(): Promise<CatalogTotals> {
    return this.#transactor.read('count blocks', async (tx) => {
      const groups = await tx
        .selectFrom('blocks')
        .select(['level', sql<number>`case when deleted_ms is null then 1 else 0 end`.as('live')])
        .select((expression) => [
          expression.fn.countAll<number>().as('blocks'),
          expression.fn.sum<number>('size_bytes').as('bytes'),
          expression.fn.sum<number>('sample_rows').as('rows'),
        ])
        .where('removed_ms', 'is', null)
        .groupBy(['level', 'live'])
        .orderBy('level')
        .execute();
      const levels: LevelTotals[] = [];
      const deleted = { blocks: 0, bytes: 0 };
      for (const { level, live, blocks, bytes, rows } of groups) {
        if (live === 1) levels.push({ level, blocks, bytes, rows });
        else {
          deleted.blocks += blocks;
          deleted.bytes += bytes;
        }
      }
      const { quarantined } = await tx
        .selectFrom('quarantine')
        .select((expression) => expression.fn.countAll<number>().as('quarantined'))
        .executeTakeFirstOrThrow();
      const counted = tx.selectFrom('batches').select('seq').limit(COUNTED_BATCHES).as('counted');
      const { batches } = await tx
        .selectFrom(counted)
        .select((expression) => expression.fn.countAll<number>().as('batches'))
        .executeTakeFirstOrThrow();
      return { levels, deleted, quarantined, batches, schemaVersion: SCHEMA_VERSION };
    });
  }

  /** Transactions of some BACKGROUND_ROWS rows each, until one has found fewer. */
  async #inPieces(what: string, piece: (tx: Transaction<Tables>) => Promise<number>): Promise<number> {
    for (let sum = 0; ;) {
      const rows = await this.#transactor.write(what, piece);
      sum += rows;
      if (rows < BACKGROUND_ROWS) return sum;
    }
  }

  /** All inputs change by `take`, and the outputs are there, and the job has ended: or nothing. */
  async #replace(
    what: string,
    { inputs, outputs, lease }: Swap,
    nowMs: number,
    take: (tx: Transaction<Tables>, ids: readonly string[]) => Promise<bigint>,
  ): Promise<SwapOutcome> {
    try {
      await this.#transactor.write(what, async (tx) => {
        // The job's row first: whoever else has come to hold it waits here, and is then fenced out.
        if (lease !== undefined && !(await finishJob(tx, lease, 'done', nowMs))) {
          throw new NotSwapped('fenced_out');
        }
        let taken = 0n;
        for (const chunk of chunks(inputs)) taken += await take(tx, chunk);
        if (taken !== BigInt(inputs.length)) throw new NotSwapped('inputs_gone');
        await insertBlocks(tx, outputs, nowMs);
      });
    } catch (error) {
      if (error instanceof NotSwapped) return error.outcome;
      throw error;
    }
    return 'swapped';
  }

  async close(): Promise<void> {
    await this.#engine.db.destroy();
  }
}

class NotSwapped extends Refusal {
  readonly outcome: Exclude<SwapOutcome, 'swapped'>;
  constructor(outcome: Exclude<SwapOutcome, 'swapped'>) {
    super(outcome);
    this.outcome = outcome;
  }
}

/** I2: a process that stood still since it accepted the batches may not know what was forgotten meanwhile. */
async function refuseIfForgotten(
  tx: Transaction<Tables>,
  block: BlockEntry,
  acceptedMs: number,
): Promise<void> {
  const row = await tx.selectFrom('meta').select('value').where('name', '=', FORGOTTEN).executeTakeFirst();
  const forgottenMs = Number(row?.value ?? 0);
  if (acceptedMs >= forgottenMs - ACCEPTED_FOR_MS) return;
  throw new FleetflameError(
    'unavailable',
    `Block ${block.id} cannot be committed: its batches were accepted ${Math.round((forgottenMs - acceptedMs) / 60_000)} minutes ` +
      `before batches were last forgotten, and could be repeats of those. Send them again.`,
  );
}

async function writeMeta(tx: Transaction<Tables>, name: string, value: number): Promise<void> {
  await tx
    .insertInto('meta')
    .values({ name, value: String(value) })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: String(value) }))
    .execute();
}

function byAgentAndSeq(a: BatchId, b: BatchId): number {
  if (a.agentId !== b.agentId) return a.agentId < b.agentId ? -1 : 1;
  return Number(a.seq - b.seq);
}

function inOrderOf(all: readonly BatchId[], some: readonly BatchId[]): BatchId[] {
  const wanted = new Set(some);
  return all.filter((batch) => wanted.has(batch));
}

function tooManyBlocks(fromMs: number, toMs: number): FleetflameError {
  const hours = Math.round((toMs - fromMs) / 3_600_000);
  return new FleetflameError(
    'limit_exceeded',
    `The range of ${hours} h has more than ${VIEW_MAX_BLOCKS} blocks: ask for a shorter one. If shorter ranges have as ` +
      `many, compaction is behind: see fleetflame_store_blocks by level.`,
  );
}

function batchRow(batch: BatchId, blockId: string, nowMs: number): Tables['batches'] {
  if (batch.seq < 0n || batch.seq > MAX_SEQ) {
    throw new FleetflameError('invalid_input', `seq ${batch.seq} is not in 0 to ${MAX_SEQ}.`, {
      field: 'seq',
    });
  }
  return {
    agent_id: batch.agentId,
    seq: Number(batch.seq),
    block_id: blockId,
    committed_ms: nowMs,
    content: batch.content ?? null,
  };
}
