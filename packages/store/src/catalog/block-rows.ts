/** Blocks as rows and back, and the statements that several parts of the catalog share. */
import { FleetflameError } from '@fleetflame/profile';
import type { Transaction } from 'kysely';
import type { BlockEntry } from './block-entry.ts';
import type { KeyState, ListedBlock } from './catalog.ts';
import { chunks } from './chunks.ts';
import type { BlockRow, Tables } from './tables.ts';

export async function insertBlocks(
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
export function liveBlocks(tx: Transaction<Tables>) {
  return tx
    .selectFrom('blocks')
    .leftJoin('quarantine', 'quarantine.block_id', 'blocks.id')
    .selectAll('blocks')
    .select(['quarantine.reason', 'quarantine.since_ms'])
    .where('deleted_ms', 'is', null);
}

export function listedBlock(
  row: BlockRow & { readonly reason: string | null; readonly since_ms: number | null },
): ListedBlock {
  const { reason, since_ms } = row;
  return {
    block: entryOf(row),
    quarantine: reason === null ? undefined : { reason, sinceMs: since_ms ?? 0 },
  };
}

export function blockRow(block: BlockEntry, nowMs: number): BlockRow {
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
    tenant: block.tenant,
    shard: block.shard,
    shards: block.shards,
    resolution_ms: block.resolutionMs,
    rolled_up: block.rolledUp ? 1 : 0,
    dropped_labels: block.droppedLabels.join(','),
    job_id: null,
    points: block.points,
  };
}

export function entryOf(row: BlockRow): BlockEntry {
  return {
    id: row.id,
    key: row.object_key,
    level: row.level,
    timeMinMs: row.time_min_ms,
    timeMaxMs: row.time_max_ms,
    sizeBytes: row.size_bytes,
    rows: row.sample_rows,
    points: row.points,
    tenant: row.tenant,
    shard: row.shard,
    shards: row.shards,
    resolutionMs: row.resolution_ms,
    rolledUp: row.rolled_up === 1,
    droppedLabels: row.dropped_labels === '' ? [] : row.dropped_labels.split(','),
  };
}

export function stateOf(row: {
  deleted_ms: number | null;
  removed_ms: number | null;
  block_id: string | null;
}): KeyState {
  if (row.removed_ms !== null) return 'removed';
  if (row.deleted_ms !== null) return 'deleted';
  return row.block_id === null ? 'live' : 'quarantined';
}
