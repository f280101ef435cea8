/** Catalog.adopt in SQL. */
import type { Transaction } from 'kysely';
import { blockRow } from './block-rows.ts';
import type { BlockEntry } from './block-entry.ts';
import { ID_NOTE } from '../identity/id-note.ts';
import type { AdoptedBatch, TakenOver } from './catalog.ts';
import { chunks } from './chunks.ts';
import type { Tables } from './tables.ts';

/** Rows of one statement. */
const BATCH_ROWS = 1000;

export async function adopt(
  tx: Transaction<Tables>,
  { live, replaced, replacedRows, rolledUp, batches, storeId }: TakenOver,
  nowMs: number,
): Promise<void> {
  await tx
    .insertInto('meta')
    .values({ name: ID_NOTE, value: storeId })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: storeId }))
    .execute();
  await upsert(tx, live, null, nowMs);
  await upsert(tx, replaced, nowMs, nowMs);
  for (const chunk of chunks([...replaced.map(({ id }) => id), ...replacedRows])) {
    await tx
      .updateTable('blocks')
      .set({ deleted_ms: nowMs, job_id: null })
      .where('id', 'in', chunk)
      .where('deleted_ms', 'is', null)
      .execute();
    await tx.deleteFrom('quarantine').where('block_id', 'in', chunk).execute();
  }
  for (const chunk of chunks(rolledUp)) {
    await tx.updateTable('blocks').set({ rolled_up: 1 }).where('id', 'in', chunk).execute();
  }
  let rows: AdoptedBatch[] = [];
  for (const batch of batches) {
    rows.push(batch);
    if (rows.length === BATCH_ROWS) await insertBatches(tx, rows.splice(0));
  }
  if (rows.length > 0) await insertBatches(tx, rows);
}

/** Where there is a row it stays, unless it is a tombstone, which has no size. */
async function upsert(
  tx: Transaction<Tables>,
  blocks: readonly BlockEntry[],
  deletedMs: number | null,
  nowMs: number,
): Promise<void> {
  for (const chunk of chunks(blocks)) {
    await tx
      .deleteFrom('blocks')
      .where(
        'id',
        'in',
        chunk.map(({ id }) => id),
      )
      .where('deleted_ms', 'is not', null)
      .where('size_bytes', '=', 0)
      .execute();
    await tx
      .insertInto('blocks')
      .values(chunk.map((block) => ({ ...blockRow(block, nowMs), deleted_ms: deletedMs })))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }
}

async function insertBatches(tx: Transaction<Tables>, batches: readonly AdoptedBatch[]): Promise<void> {
  for (const chunk of chunks(batches)) {
    await tx
      .insertInto('batches')
      .values(
        chunk.map(({ agentId, seq, blockId, writtenMs }) => ({
          agent_id: agentId,
          seq: Number(seq),
          block_id: blockId,
          committed_ms: writtenMs,
          content: null,
        })),
      )
      .onConflict((conflict) => conflict.columns(['agent_id', 'seq']).doNothing())
      .execute();
  }
}
