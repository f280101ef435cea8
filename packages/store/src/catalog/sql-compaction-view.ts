/** What compaction looks at, in SQL; see compaction-view.ts. */
import { sql, type Transaction } from 'kysely';
import type { BlockEntry } from './block-entry.ts';
import { entryOf, liveBlocks } from './block-rows.ts';
import type { CompactionView, CrowdedWindow, LevelEdge, LevelWindow, Small } from './compaction-view.ts';
import type { Tables } from './tables.ts';
import type { Transactor } from './transactor.ts';

export class SqlCompactionView implements CompactionView {
  readonly #transactor: Transactor;

  constructor(transactor: Transactor) {
    this.#transactor = transactor;
  }

  async rising(edges: readonly LevelEdge[], limit: number): Promise<BlockEntry[]> {
    return this.#transactor.read('look for blocks to merge', async (tx) => {
      const rows = await free(tx)
        .where((where) =>
          where.or(
            edges.map(({ level, beforeMs }) =>
              where.and([where('level', '<', level), where('time_min_ms', '<', beforeMs)]),
            ),
          ),
        )
        .orderBy('time_min_ms')
        .orderBy('blocks.id')
        .limit(limit)
        .execute();
      return rows.map(entryOf);
    });
  }

  async crowded(windows: readonly LevelWindow[], small: Small, limit: number): Promise<CrowdedWindow[]> {
    return this.#transactor.read('look for windows with many blocks', async (tx) => {
      const found: CrowdedWindow[] = [];
      for (const { level, windowMs } of windows) {
        const width = sql.lit(windowMs);
        const rows = await tx
          .selectFrom('blocks')
          .select(['tenant', 'shard', 'shards', 'resolution_ms', 'rolled_up'])
          .select(sql<number>`time_min_ms - time_min_ms % ${width}`.as('start_ms'))
          .where('deleted_ms', 'is', null)
          .where('job_id', 'is', null)
          .where('level', '=', level)
          .where('size_bytes', '<=', small.bytes)
          .where('points', '<=', small.points)
          .groupBy(['tenant', 'shard', 'shards', 'resolution_ms', 'rolled_up', 'start_ms'])
          .having((expression) => expression.fn.countAll(), '>', 1)
          .orderBy((expression) => expression.fn.countAll(), 'desc')
          .orderBy('start_ms')
          .limit(limit)
          .execute();
        for (const row of rows) {
          found.push({
            level,
            windowMs,
            startMs: row.start_ms,
            tenant: row.tenant,
            shard: row.shard,
            shards: row.shards,
            resolutionMs: row.resolution_ms,
            rolledUp: row.rolled_up === 1,
          });
        }
      }
      return found;
    });
  }

  async inWindow(window: CrowdedWindow, limit: number): Promise<BlockEntry[]> {
    return this.#transactor.read('look at a window', async (tx) => {
      const rows = await free(tx)
        .where('level', '=', window.level)
        .where('time_min_ms', '>=', window.startMs)
        .where('time_min_ms', '<', window.startMs + window.windowMs)
        .where('tenant', '=', window.tenant)
        .where('shard', '=', window.shard)
        .where('shards', '=', window.shards)
        .where('resolution_ms', '=', window.resolutionMs)
        .where('rolled_up', '=', window.rolledUp ? 1 : 0)
        .orderBy('size_bytes')
        .orderBy('blocks.id')
        .limit(limit)
        .execute();
      return rows.map(entryOf);
    });
  }

  async notRolledUp(resolutionMs: number, level: number, limit: number): Promise<BlockEntry[]> {
    return this.#transactor.read('look for blocks to roll up', async (tx) => {
      const rows = await free(tx)
        .where('resolution_ms', '=', resolutionMs)
        .where('rolled_up', '=', 0)
        .where('level', '>=', level)
        .orderBy('time_min_ms')
        .orderBy('blocks.id')
        .limit(limit)
        .execute();
      return rows.map(entryOf);
    });
  }

  async ofJob(jobId: string): Promise<BlockEntry[]> {
    return this.#transactor.read('look at the blocks of a job', async (tx) => {
      const rows = await readable(tx)
        .where('job_id', '=', jobId)
        .orderBy('time_min_ms')
        .orderBy('blocks.id')
        .execute();
      return rows.map(entryOf);
    });
  }
}

function readable(tx: Transaction<Tables>) {
  return liveBlocks(tx).where('quarantine.block_id', 'is', null);
}

function free(tx: Transaction<Tables>) {
  return readable(tx).where('job_id', 'is', null);
}
