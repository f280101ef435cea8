/**
 * One fault schedule against a cluster of its own: the fleet writes, queries read, things go wrong; then all
 * is well again, compaction catches up, and every sum is compared. Whatever should not be is a problem.
 */
import { checkSums, Ledger, writeFleet, type SumCheck, type WriteResult } from '@fleetflame/bench/fleet';
import { Cluster, type ClusterProcess } from '../support/cluster.ts';
import { MAIN } from '../support/server-process.ts';
import { run, until } from '../support/product.ts';
import { TestNetwork } from '../support/test-network.ts';
import { makeDue, runFaults } from './inject.ts';
import { createFleet, HOSTS, SKEW_MS, WINDOW_MS } from './load.ts';
import { Reader, type ReadResult } from './reader.ts';
import { MORE_ROLES, type Schedule } from './schedule.ts';

/** How long ago the fleet's first window was: nearly as old as ingest takes batches. */
const AGO_MS = 22 * 3_600_000;
/** They end more than an hour ago: all is old enough to be merged at once. */
const MOST_WINDOWS = 125;
/**
 * Compactors that look for work every second, and lose it when they say nothing for four: a schedule then has
 * merges all the time, and leases that expire while a process stands still.
 */
const SETTINGS = {
  FLEETFLAME_LIMITS_MAINTENANCE_ROUND_MS: '1000',
  FLEETFLAME_LIMITS_MAINTENANCE_LEASE_MS: '4000',
  FLEETFLAME_LIMITS_MAINTENANCE_RETRY_MS: '1000',
  FLEETFLAME_LIMITS_MAINTENANCE_MAX_RETRY_MS: '4000',
  // The sum of everything is then answered from rollups, with raw samples at the edges.
  FLEETFLAME_ROLLUPS_FIVE_MINUTES: '60d',
  FLEETFLAME_ROLLUPS_HOURS: '400d',
};
/** After the last fault; a loaded machine is slow. */
const CATCH_UP_MS = 180_000;

export interface Outcome {
  /** Empty: all is as it should be. */
  readonly problems: readonly string[];
  readonly write: WriteResult;
  readonly reads: ReadResult;
  /** By each query process. */
  readonly sums: readonly SumCheck[];
  /** Merges and rollups by how they ended, as far as the catalog knows. */
  readonly merges: string;
  /** Faults of requests to S3. */
  readonly s3Faults: number;
  readonly seconds: number;
}

export async function runSchedule(schedule: Schedule): Promise<Outcome> {
  const started = performance.now();
  const { seed } = schedule;
  await using network = TestNetwork.create();
  await using cluster = await Cluster.start({ seed, more: MORE_ROLES, network, settings: SETTINGS });
  try {
    return await new ScheduleRun(cluster, schedule, started).run();
  } catch (error) {
    throw new Error(`seed ${seed}: ${messageOf(error)}\n${logsOf(cluster)}`, { cause: error });
  }
}

class ScheduleRun {
  readonly #cluster: Cluster;
  readonly #schedule: Schedule;
  readonly #started: number;
  readonly #problems: string[] = [];

  constructor(cluster: Cluster, schedule: Schedule, started: number) {
    this.#cluster = cluster;
    this.#schedule = schedule;
    this.#started = started;
  }

  async run(): Promise<Outcome> {
    const cluster = this.#cluster;
    const fleet = createFleet(this.#schedule.seed);
    const ledger = new Ledger(fleet);
    const startMs = Math.floor((Date.now() - AGO_MS) / WINDOW_MS) * WINDOW_MS;
    const reader = new Reader(cluster.role('query'), ledger, {
      fromMs: startMs - SKEW_MS,
      toMs: startMs + MOST_WINDOWS * WINDOW_MS + SKEW_MS,
    });
    let over = false;
    const writing = writeFleet(fleet, {
      ingest: cluster.role('ingest').map(({ url }) => url),
      startMs,
      windows: MOST_WINDOWS,
      calls: HOSTS,
      paced: false,
      duplicates: 0.1,
      reordered: true,
      enough: () => over,
      ledger,
    });
    const reading = reader.run(() => over);
    const faults = runFaults(cluster, this.#schedule, performance.now()).finally(() => {
      over = true;
    });
    const [write, reads] = await Promise.all([writing, reading, faults]);
    this.#problems.push(...reads.problems);
    await this.#settle();
    const sums: SumCheck[] = [];
    for (const query of cluster.role('query')) sums.push(await checkSums(fleet, ledger, query.url));
    this.#checkSums(sums, write);
    this.#problems.push(...(await reader.compareAll(sums[0]?.unknownPresent ?? 0)));
    await this.#checkCatalog(ledger.batches + (sums[0]?.unknownPresent ?? 0));
    await this.#checkBlocks();
    const merges = await this.#sql(
      `select kind || ' ' || outcome as name, count(*)::int as count from jobs where kind <> 'task' group by 1 order by 1`,
    );
    return {
      problems: this.#problems.length === 0 ? [] : [...this.#problems, logsOf(cluster)],
      write,
      reads,
      sums,
      merges: merges.map(({ name, count }) => `${String(name)} ${String(count)}`).join(', '),
      s3Faults: [...cluster.s3.injected.values()].reduce((sum, count) => sum + count, 0),
      seconds: (performance.now() - this.#started) / 1000,
    };
  }

  /** Nothing is underway any more, and everything has been merged. */
  async #settle(): Promise<void> {
    for (const process of this.#cluster.processes) {
      await until(
        `${process.role} is ready`,
        async () => (await process.get('/readyz')).status,
        (status) => status === 200,
      );
    }
    for (const ingest of this.#cluster.role('ingest')) {
      await until(
        'ingest has no batch left',
        async () => (await ingest.get('/metrics')).text,
        (metrics) => /^fleetflame_ingest_pending_batches 0$/m.test(metrics),
      );
    }
    // Also what is due once in minutes: the sweep looks for rows whose objects are gone.
    await makeDue(this.#cluster, 'waiting');
    await until(
      'compaction has caught up',
      async () =>
        await this.#sql(
          `select (select count(*)::int from blocks where deleted_ms is null and level = 0) as segments,
                  (select count(*)::int from jobs where kind <> 'task' and outcome is null) as jobs,
                  (select max(last_error) from jobs where outcome is null) as error,
                  (select started_ms from jobs where id = 'task/plan' and lease_until_ms = 0)
                    > (select coalesce(max(ended_ms), 0) from jobs where kind <> 'task') as planned`,
        ),
      // Planned: a plan that began when the last job had ended has found nothing to do.
      ([row]) =>
        row?.['segments'] === 0 && row['jobs'] === 0 && row['error'] === '' && row['planned'] === true,
      CATCH_UP_MS,
    );
  }

  #checkSums(sums: readonly SumCheck[], { ledger }: WriteResult): void {
    if (ledger.batches === 0) this.#problems.push('nothing was acked');
    for (const [number, sum] of sums.entries()) {
      if (sum.mismatches > 0)
        this.#problems.push(`query ${number}: ${sum.mismatches} sums differ: ${sum.examples.join('; ')}`);
      if (sum.missingBlocks > 0)
        this.#problems.push(`query ${number}: ${sum.missingBlocks} blocks could not be read`);
    }
    const [first, second] = sums;
    if (first?.unknownPresent !== second?.unknownPresent)
      this.#problems.push('the queries do not agree on the batches without an ack');
  }

  /** `batches`: as many as must have been committed. */
  async #checkCatalog(batches: number): Promise<void> {
    const [row] = await this.#sql(
      `select (select count(*)::int from batches) as batches,
              (select count(*)::int from quarantine) as quarantined,
              (select count(*)::int from blocks where job_id is not null) as held,
              (select count(*)::int from jobs where lease_until_ms > 0 and kind <> 'task') as leased`,
    );
    const expected = { batches, quarantined: 0, held: 0, leased: 0 };
    for (const [name, value] of Object.entries(expected)) {
      if (row?.[name] !== value)
        this.#problems.push(`the catalog has ${String(row?.[name])} ${name}, not ${value}`);
    }
    for (const { reason } of await this.#sql('select reason from quarantine limit 5'))
      this.#problems.push(`quarantined: ${String(reason)}`);
  }

  async #checkBlocks(): Promise<void> {
    const [query] = this.#cluster.role('query');
    const { code, stdout, stderr } = await run(
      process.execPath,
      [MAIN, 'blocks', 'verify', '--json'],
      query === undefined ? {} : { FLEETFLAME_SERVER: query.url },
    );
    if (code !== 0) this.#problems.push(`blocks verify: ${stdout}${stderr}`);
  }

  async #sql(statement: string): Promise<Record<string, unknown>[]> {
    return await this.#cluster.postgres.query(this.#cluster.catalogUrl, statement);
  }
}

export function describeOutcome({ write, reads, sums, merges, s3Faults, seconds }: Outcome): string {
  const [sum] = sums;
  const known = (sum?.unknownPresent ?? 0) + (sum?.unknownAbsent ?? 0);
  const errors = [...write.errors].map(([code, count]) => `${code} ${count}`).join(', ');
  return `  ${write.ledger.batches} batches acked in ${write.seconds.toFixed(1)} s, ${write.retries} retries (${errors})
  ${s3Faults} requests to S3 failed; ${reads.answers} answers read meanwhile, ${reads.refused} refused, ${reads.partial} said what was missing
  ${merges}; ${sum?.unknownPresent ?? 0} of ${known} batches without an ack are there
  ${sums.reduce((all, { cells }) => all + cells, 0)} sums compared, ${sums.reduce((all, { mismatches }) => all + mismatches, 0)} differ; ${seconds.toFixed(0)} s`;
}

/** The end of what each process has logged since its last start. */
function logsOf({ processes }: Cluster): string {
  return processes.map((process) => `--- ${process.role}\n${lastLines(process)}`).join('\n');
}

function lastLines({ log }: ClusterProcess): string {
  return log.trimEnd().split('\n').slice(-20).join('\n');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
