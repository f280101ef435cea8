/** Batches whose numbers the catalog has already (I2): repeats of what it has, or something else under the same numbers. */
import { sql, type Transaction } from 'kysely';
import type { BatchId } from './block-entry.ts';
import { chunks } from './chunks.ts';
import type { Tables } from './tables.ts';
import { Refusal } from './transactor.ts';

/** Rolls a commit back. */
export class KnownBatches extends Refusal {
  readonly duplicates: readonly BatchId[];
  readonly conflicts: readonly BatchId[];

  /** `contents`: of every known batch what was committed; undefined: it is not known, as of rows from before. */
  constructor(known: readonly BatchId[], contents: ReadonlyMap<string, string | undefined>) {
    super('known batches');
    const isRepeat = (batch: BatchId): boolean => sameContent(batch.content, contents.get(batchName(batch)));
    this.duplicates = known.filter(isRepeat);
    this.conflicts = known.filter((batch) => !isRepeat(batch));
  }
}

/** What is not known is equal to everything: who wrote it kept no hash. */
export function sameContent(a: string | undefined, b: string | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}

export function batchName(batch: BatchId): string {
  return `${batch.seq} ${batch.agentId}`;
}

/** By batchName, of those that have a row. */
export async function committedContents(
  tx: Transaction<Tables>,
  batches: readonly BatchId[],
): Promise<Map<string, string | undefined>> {
  const found = new Map<string, string | undefined>();
  for (const chunk of chunks(batches)) {
    // Typed by casts, since PostgreSQL takes a parameter of a values list for text.
    const pairs = sql.join(
      chunk.map((batch) => sql`(cast(${batch.agentId} as text), cast(${Number(batch.seq)} as bigint))`),
    );
    const { rows } = await sql<Pick<Tables['batches'], 'agent_id' | 'seq' | 'content'>>`
      select agent_id, seq, content from batches where (agent_id, seq) in (values ${pairs})`.execute(tx);
    for (const row of rows) found.set(`${row.seq} ${row.agent_id}`, row.content ?? undefined);
  }
  return found;
}
