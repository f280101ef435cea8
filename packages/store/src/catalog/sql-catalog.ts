/** The catalog in SQL, the same for every engine: portable statements, no engine's own functions. */
import { FleetflameError } from '@fleetflame/profile';
import { sql, type Kysely, type Transaction } from 'kysely';
import type { BatchId, BlockEntry, QuarantinedEntry } from './block-entry.ts';
import type {
  BlockPosition,
  BlockRange,
  Catalog,
  CatalogTotals,
  CatalogView,
  CommitResult,
  KnownKey,
  LevelTotals,
  ListedBlock,
} from './catalog.ts';
import { migrate } from './migrate.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import type { BlockRow, Tables } from './tables.ts';

/** Rows per statement: four parameters a row stay far below SQLite's 32,766 and PostgreSQL's 65,535. */
const CHUNK_ROWS = 1000;

/** `seq` beyond it would not survive the way through a float64. */
export const MAX_SEQ = BigInt(Number.MAX_SAFE_INTEGER);

export class SqlCatalog implements Catalog {
  readonly #db: Kysely<Tables>;

  private constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  /** Takes over `db`: `close` closes it. */
  static async open(db: Kysely<Tables>): Promise<SqlCatalog> {
    try {
      await migrate(db);
    } catch (error) {
      await db.destroy();
      throw catalogError('opened', error);
    }
    return new SqlCatalog(db);
  }

  async commit(block: BlockEntry, batches: readonly BatchId[], nowMs: number): Promise<CommitResult> {
    try {
      await this.#transact('commit a segment', async (tx) => {
        await insertBlocks(tx, [block], nowMs);
        const duplicates: BatchId[] = [];
        for (const chunk of chunks(batches)) {
          const inserted = await tx
            .insertInto('batches')
            .values(chunk.map((batch) => batchRow(batch, block.id, nowMs)))
            .onConflict((conflict) => conflict.columns(['agent_id', 'seq']).doNothing())
            .returning(['agent_id', 'seq'])
            .execute();
          if (inserted.length === chunk.length) continue;
          const fresh = new Set(inserted.map((row) => `${row.seq} ${row.agent_id}`));
          for (const batch of chunk) {
            // A batch that is named twice counts once: its second mention is the duplicate.
            if (!fresh.delete(`${batch.seq} ${batch.agentId}`)) duplicates.push(batch);
          }
        }
        if (duplicates.length > 0) throw new Duplicates(duplicates);
      });
    } catch (error) {
      if (error instanceof Duplicates) return { committed: false, duplicates: error.batches };
      throw error;
    }
    return { committed: true };
  }

  async settle(block: BlockEntry, nowMs: number): Promise<'committed' | 'absent'> {
    return this.#transact('settle a commit', async (tx) => {
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

  async swap(inputs: readonly string[], outputs: readonly BlockEntry[], nowMs: number): Promise<boolean> {
    try {
      await this.#transact('swap blocks', async (tx) => {
        let live = 0n;
        for (const chunk of chunks(inputs)) {
          const result = await tx
            .updateTable('blocks')
            .set({ deleted_ms: nowMs })
            .where('id', 'in', chunk)
            .where('deleted_ms', 'is', null)
            .executeTakeFirst();
          live += result.numUpdatedRows;
          await tx.deleteFrom('quarantine').where('block_id', 'in', chunk).execute();
        }
        if (live !== BigInt(inputs.length)) throw new InputsGone();
        await insertBlocks(tx, outputs, nowMs);
      });
    } catch (error) {
      if (error instanceof InputsGone) return false;
      throw error;
    }
    return true;
  }

  async relevel(id: string, level: number): Promise<void> {
    await this.#transact('move a block to another level', (tx) =>
      tx.updateTable('blocks').set({ level }).where('id', '=', id).where('deleted_ms', 'is', null).execute(),
    );
  }

  async view(fromMs: number, toMs: number): Promise<CatalogView> {
    return this.#transact('read a snapshot', async (tx) => {
      const rows = await liveBlocks(tx)
        .where('time_max_ms', '>=', fromMs)
        .where('time_min_ms', '<', toMs)
        .orderBy('time_min_ms')
        .orderBy('id')
        .execute();
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
    return this.#transact('list blocks', async (tx) => {
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
    return this.#transact('find a block', async (tx) => {
      const row = await liveBlocks(tx).where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : listedBlock(row);
    });
  }

  async quarantine(id: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#transact('quarantine a block', async (tx) => {
      const row = await tx.selectFrom('blocks').select('deleted_ms').where('id', '=', id).executeTakeFirst();
      if (row === undefined || row.deleted_ms !== null) return false;
      const inserted = await tx
        .insertInto('quarantine')
        .values({ block_id: id, reason, since_ms: nowMs })
        .onConflict((conflict) => conflict.column('block_id').doNothing())
        .returning('block_id')
        .execute();
      return inserted.length > 0;
    });
  }

  async expireBlocks(beforeMs: number, nowMs: number): Promise<number> {
    return this.#transact('expire blocks', async (tx) => {
      const result = await tx
        .updateTable('blocks')
        .set({ deleted_ms: nowMs })
        .where('deleted_ms', 'is', null)
        .where('time_max_ms', '<', beforeMs)
        .executeTakeFirst();
      if (result.numUpdatedRows > 0n) {
        const deleted = tx.selectFrom('blocks').select('id').where('deleted_ms', 'is not', null);
        await tx.deleteFrom('quarantine').where('block_id', 'in', deleted).execute();
      }
      return Number(result.numUpdatedRows);
    });
  }

  async expireBatches(beforeMs: number): Promise<number> {
    return this.#transact('expire batches', async (tx) => {
      const result = await tx.deleteFrom('batches').where('committed_ms', '<', beforeMs).executeTakeFirst();
      return Number(result.numDeletedRows);
    });
  }

  async deletedBefore(beforeMs: number, limit: number): Promise<BlockEntry[]> {
    return this.#transact('list deleted blocks', async (tx) => {
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
    await this.#transact('mark blocks removed', async (tx) => {
      for (const chunk of chunks(ids)) {
        await tx.updateTable('blocks').set({ removed_ms: nowMs }).where('id', 'in', chunk).execute();
      }
    });
  }

  async purgeRemoved(beforeMs: number): Promise<number> {
    return this.#transact('purge removed blocks', async (tx) => {
      const result = await tx.deleteFrom('blocks').where('removed_ms', '<', beforeMs).executeTakeFirst();
      return Number(result.numDeletedRows);
    });
  }

  async knownKeys(): Promise<Map<string, KnownKey>> {
    return this.#transact('list keys', async (tx) => {
      const rows = await tx
        .selectFrom('blocks')
        .leftJoin('quarantine', 'quarantine.block_id', 'blocks.id')
        .select(['id', 'object_key', 'deleted_ms', 'removed_ms', 'quarantine.block_id'])
        .execute();
      return new Map(rows.map((row) => [row.object_key, { id: row.id, state: stateOf(row) }]));
    });
  }

  async totals(): Promise<CatalogTotals> {
    return this.#transact('count blocks', async (tx) => {
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
      const quarantined = await countRows(tx, 'quarantine');
      const batches = await countRows(tx, 'batches');
      return { levels, deleted, quarantined, batches, schemaVersion: SCHEMA_VERSION };
    });
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }

  async #transact<T>(what: string, run: (tx: Transaction<Tables>) => Promise<T>): Promise<T> {
    try {
      return await this.#db.transaction().execute(run);
    } catch (error) {
      if (error instanceof Duplicates || error instanceof InputsGone) throw error;
      throw catalogError(`used to ${what}`, error);
    }
  }
}

/** Thrown inside a transaction to roll it back. */
class Duplicates extends Error {
  readonly batches: readonly BatchId[];
  constructor(batches: readonly BatchId[]) {
    super('duplicate batches');
    this.batches = batches;
  }
}

class InputsGone extends Error {}

async function insertBlocks(
  tx: Transaction<Tables>,
  blocks: readonly BlockEntry[],
  nowMs: number,
): Promise<void> {
  for (const chunk of chunks(blocks)) {
    const inserted = await tx
      .insertInto('blocks')
      .values(chunk.map((block) => blockRow(block, nowMs)))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .execute();
    if (inserted.length !== chunk.length) {
      throw new FleetflameError(
        'unavailable',
        `Block ${chunk[0]?.id ?? ''} cannot be committed: its id is taken, because it was written so slowly that ` +
          `the sweeper gave it up. Write it again.`,
      );
    }
  }
}

/** Live blocks, and why those of them that are quarantined are. */
function liveBlocks(tx: Transaction<Tables>) {
  return tx
    .selectFrom('blocks')
    .leftJoin('quarantine', 'quarantine.block_id', 'blocks.id')
    .selectAll('blocks')
    .select(['quarantine.reason', 'quarantine.since_ms'])
    .where('deleted_ms', 'is', null);
}

function listedBlock(
  row: BlockRow & { readonly reason: string | null; readonly since_ms: number | null },
): ListedBlock {
  const { reason, since_ms } = row;
  return {
    block: entryOf(row),
    quarantine: reason === null ? undefined : { reason, sinceMs: since_ms ?? 0 },
  };
}

async function countRows(tx: Transaction<Tables>, table: 'quarantine' | 'batches'): Promise<number> {
  const row = await tx
    .selectFrom(table)
    .select((expression) => expression.fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow();
  return row.rows;
}

function blockRow(block: BlockEntry, nowMs: number): BlockRow {
  return {
    id: block.id,
    object_key: block.key,
    level: block.level,
    time_min_ms: block.timeMinMs,
    time_max_ms: block.timeMaxMs,
    size_bytes: block.sizeBytes,
    sample_rows: block.rows,
    created_ms: nowMs,
    deleted_ms: null,
    removed_ms: null,
  };
}

function batchRow(batch: BatchId, blockId: string, nowMs: number): Tables['batches'] {
  if (batch.seq < 0n || batch.seq > MAX_SEQ) {
    throw new FleetflameError('invalid_input', `seq ${batch.seq} is not in 0 to ${MAX_SEQ}.`, {
      field: 'seq',
    });
  }
  return { agent_id: batch.agentId, seq: Number(batch.seq), block_id: blockId, committed_ms: nowMs };
}

function entryOf(row: BlockRow): BlockEntry {
  return {
    id: row.id,
    key: row.object_key,
    level: row.level,
    timeMinMs: row.time_min_ms,
    timeMaxMs: row.time_max_ms,
    sizeBytes: row.size_bytes,
    rows: row.sample_rows,
  };
}

function stateOf(row: {
  deleted_ms: number | null;
  removed_ms: number | null;
  block_id: string | null;
}): KnownKey['state'] {
  if (row.removed_ms !== null) return 'removed';
  if (row.deleted_ms !== null) return 'deleted';
  return row.block_id === null ? 'live' : 'quarantined';
}

function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += CHUNK_ROWS) yield items.slice(start, start + CHUNK_ROWS);
}

function catalogError(what: string, error: unknown): FleetflameError {
  if (error instanceof FleetflameError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new FleetflameError('unavailable', `The catalog cannot be ${what}: ${detail}`, { cause: error });
}
