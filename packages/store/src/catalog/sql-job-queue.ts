/** The jobs in SQL; see job-queue.ts. */
import { sql, type Transaction } from 'kysely';
import { chunks } from './chunks.ts';
import type {
  Again,
  Claim,
  JobFilter,
  JobQueue,
  JobStatus,
  JobTotals,
  Lease,
  LeasedJob,
  NewJob,
} from './job-queue.ts';
import type { JobRow, Tables } from './tables.ts';
import { Refusal, type Transactor } from './transactor.ts';

/** Candidates that a claim looks at: when others take the first ones at the same time, it moves on. */
const CANDIDATES = 16;
/** Bytes of an error's text that are kept. */
const ERROR_LENGTH = 1000;

export class SqlJobQueue implements JobQueue {
  readonly #transactor: Transactor;

  constructor(transactor: Transactor) {
    this.#transactor = transactor;
  }

  async ensure(job: NewJob, nowMs: number): Promise<void> {
    await this.#transactor.write('set up a job', (tx) => insertJob(tx, job, nowMs));
  }

  async add(job: NewJob, inputs: readonly string[], nowMs: number): Promise<boolean> {
    try {
      await this.#transactor.write('add a job', async (tx) => {
        await insertJob(tx, job, nowMs);
        let taken = 0n;
        for (const chunk of chunks(inputs)) {
          const result = await tx
            .updateTable('blocks')
            .set({ job_id: job.id })
            .where('id', 'in', chunk)
            .where('deleted_ms', 'is', null)
            .where('job_id', 'is', null)
            .executeTakeFirst();
          taken += result.numUpdatedRows;
        }
        if (taken !== BigInt(inputs.length)) throw new InputsTaken();
      });
    } catch (error) {
      if (error instanceof InputsTaken) return false;
      throw error;
    }
    return true;
  }

  async claim(filter: JobFilter, claim: Claim): Promise<LeasedJob | undefined> {
    const { owner, nowMs, leaseMs, longestMs, backOffMs } = claim;
    return this.#transactor.write('claim a job', async (tx) => {
      let due = tx
        .selectFrom('jobs')
        .selectAll()
        .where('kind', '=', filter.kind)
        .where('outcome', 'is', null)
        .where((where) =>
          where.or([where('not_before_ms', '<=', nowMs), where('not_before_ms', '>', nowMs + longestMs)]),
        )
        .where((where) =>
          where.or([where('lease_until_ms', '<=', nowMs), where('lease_until_ms', '>', nowMs + longestMs)]),
        );
      if (filter.id !== undefined) due = due.where('id', '=', filter.id);
      for (const job of await due.orderBy('priority').orderBy('id').limit(CANDIDATES).execute()) {
        const attempts = job.attempts + 1;
        const { numUpdatedRows } = await tx
          .updateTable('jobs')
          .set({
            lease: job.lease + 1,
            owner,
            attempts,
            started_ms: nowMs,
            lease_until_ms: nowMs + leaseMs,
            // Who dies with it never says when to try again.
            not_before_ms: nowMs + backOffMs(attempts),
          })
          .where('id', '=', job.id)
          .where('lease', '=', job.lease)
          .where('outcome', 'is', null)
          .executeTakeFirst();
        if (numUpdatedRows === 0n) continue;
        const { id, kind, subject, payload } = job;
        return { id, kind, subject, payload, attempts, lease: job.lease + 1 };
      }
      return undefined;
    });
  }

  async renew(lease: Lease, untilMs: number): Promise<boolean> {
    return this.#transactor.write('renew a lease', (tx) =>
      updateLeased(tx, lease, { lease_until_ms: untilMs }),
    );
  }

  async finish(lease: Lease, outcome: string, nowMs: number): Promise<boolean> {
    return this.#transactor.write('finish a job', (tx) => finishJob(tx, lease, outcome, nowMs));
  }

  async giveBack(lease: Lease, { nowMs, notBeforeMs, error }: Again): Promise<boolean> {
    return this.#transactor.write('give a job back', (tx) =>
      updateLeased(tx, lease, {
        lease_until_ms: 0,
        not_before_ms: notBeforeMs,
        ended_ms: nowMs,
        last_error: (error ?? '').slice(0, ERROR_LENGTH),
        ...(error === undefined ? { attempts: 0 } : {}),
      }),
    );
  }

  async list(limit: number, kind?: string): Promise<JobStatus[]> {
    return this.#transactor.read('list jobs', async (tx) => {
      const all = tx.selectFrom('jobs').selectAll();
      const jobs = kind === undefined ? all : all.where('kind', '=', kind);
      const open = await jobs
        .where('outcome', 'is', null)
        .orderBy('lease_until_ms', 'desc')
        .orderBy('priority')
        .orderBy('id')
        .limit(limit)
        .execute();
      const ended = await jobs
        .where('outcome', 'is not', null)
        .orderBy('ended_ms', 'desc')
        .orderBy('id')
        .limit(Math.max(1, limit - open.length))
        .execute();
      return [...open, ...ended].map(statusOf);
    });
  }

  async totals(nowMs: number): Promise<JobTotals[]> {
    return this.#transactor.read('count jobs', async (tx) => {
      const leased = sql<number>`case when lease_until_ms > ${nowMs} then 1 else 0 end`;
      const failing = sql<number>`case when last_error <> '' then 1 else 0 end`;
      return tx
        .selectFrom('jobs')
        .select('kind')
        .select((expression) => [
          expression.fn.sum<number>(sql`1 - ${leased}`).as('waiting'),
          expression.fn.sum<number>(leased).as('leased'),
          expression.fn.sum<number>(failing).as('failing'),
        ])
        .where('outcome', 'is', null)
        .groupBy('kind')
        .orderBy('kind')
        .execute();
    });
  }

  async purge(endedBeforeMs: number): Promise<number> {
    return this.#transactor.write('purge jobs', async (tx) => {
      const result = await tx
        .deleteFrom('jobs')
        .where('outcome', 'is not', null)
        .where('ended_ms', '<', endedBeforeMs)
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    });
  }
}

class InputsTaken extends Refusal {}

/** In the transaction that makes the job's result count. False: fenced out. */
export async function finishJob(
  tx: Transaction<Tables>,
  lease: Lease,
  outcome: string,
  nowMs: number,
): Promise<boolean> {
  const ended = { outcome, ended_ms: nowMs, lease_until_ms: 0, last_error: '' };
  if (!(await updateLeased(tx, lease, ended))) return false;
  await tx.updateTable('blocks').set({ job_id: null }).where('job_id', '=', lease.id).execute();
  return true;
}

/** False: the lease is not the last one, or the job has ended. */
async function updateLeased(
  tx: Transaction<Tables>,
  { id, lease }: Lease,
  values: Partial<JobRow>,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('jobs')
    .set(values)
    .where('id', '=', id)
    .where('lease', '=', lease)
    .where('outcome', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

async function insertJob(tx: Transaction<Tables>, job: NewJob, nowMs: number): Promise<void> {
  const { id, kind, subject, payload, priority } = job;
  const row: JobRow = {
    id,
    kind,
    subject,
    payload,
    priority,
    lease: 0,
    owner: '',
    lease_until_ms: 0,
    not_before_ms: nowMs,
    attempts: 0,
    last_error: '',
    created_ms: nowMs,
    started_ms: 0,
    ended_ms: 0,
    outcome: null,
  };
  await tx
    .insertInto('jobs')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

function statusOf(row: JobRow): JobStatus {
  const state = row.outcome !== null ? 'ended' : row.lease_until_ms > 0 ? 'leased' : 'waiting';
  return {
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    state,
    owner: row.owner,
    attempts: row.attempts,
    lastError: row.last_error,
    createdMs: row.created_ms,
    startedMs: row.started_ms,
    endedMs: row.ended_ms,
    notBeforeMs: row.not_before_ms,
    outcome: row.outcome ?? undefined,
  };
}
