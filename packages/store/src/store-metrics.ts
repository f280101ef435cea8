/** The store's counters. Gauges of what is stored are read from the catalog when they are scraped. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { CatalogTotals } from './catalog/catalog.ts';
import type { JobTotals } from './catalog/job-queue.ts';
import type { JobControl } from './maintenance/job-controls.ts';

/** From a millisecond on a fast disk to a stuck one. */
const WRITE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MERGE_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export class StoreMetrics {
  readonly putSeconds: Histogram;
  readonly commitSeconds: Histogram;
  readonly encodeSeconds: Histogram;
  readonly mergeSeconds: Histogram<'level'>;
  readonly merges: Counter<'level' | 'outcome'>;
  readonly mergedBlocks: Counter<'level'>;
  readonly mergedBytes: Counter<'direction'>;
  readonly expired: Counter<'what'>;
  readonly erasedRows: Counter;
  readonly eraseRefused: Counter<'limit'>;
  readonly removed: Counter;
  readonly swept: Counter<'what'>;
  readonly quarantined: Counter<'reason'>;
  readonly released: Counter;
  readonly reread: Counter;
  readonly maintenanceFailures: Counter<'task'>;

  constructor(
    registry: Registry,
    totals: () => Promise<CatalogTotals>,
    jobs: () => Promise<readonly JobTotals[]>,
    pinned: () => number,
    /** Whether the catalog answers. */
    isAble: () => boolean,
    controls: () => Promise<readonly JobControl[]>,
  ) {
    const registers = [registry];
    const seconds = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
      new Histogram<L>({ name, help, labelNames, registers, buckets: WRITE_BUCKETS });
    const counter = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
      new Counter<L>({ name, help, labelNames, registers });
    this.encodeSeconds = seconds('fleetflame_store_encode_seconds', 'Encoding a segment.');
    this.putSeconds = seconds('fleetflame_store_put_seconds', 'Making a segment durable as an object.');
    this.commitSeconds = seconds('fleetflame_store_commit_seconds', 'Committing a segment to the catalog.');
    this.mergeSeconds = new Histogram({
      name: 'fleetflame_store_merge_seconds',
      help: 'One merge from its inputs to the swap.',
      labelNames: ['level'],
      registers,
      buckets: MERGE_BUCKETS,
    });
    this.merges = counter('fleetflame_store_merges_total', 'Merges by target level and how they ended.', [
      'level',
      'outcome',
    ]);
    this.mergedBlocks = counter('fleetflame_store_merged_blocks_total', 'Blocks that merges replaced.', [
      'level',
    ]);
    this.mergedBytes = counter('fleetflame_store_merged_bytes_total', 'Bytes that merges read and wrote.', [
      'direction',
    ]);
    this.erasedRows = counter(
      'fleetflame_store_erased_rows_total',
      'Sample rows erased because somebody asked.',
    );
    this.eraseRefused = counter(
      'fleetflame_store_erase_refused_total',
      'Requests to erase a label that a limit turned away.',
      ['limit'],
    );
    this.expired = counter('fleetflame_store_expired_total', 'Blocks and batches past their time.', ['what']);
    this.removed = counter('fleetflame_store_removed_objects_total', 'Objects of deleted blocks removed.');
    this.swept = counter(
      'fleetflame_store_swept_total',
      'What the sweeper found: orphans, missing objects.',
      ['what'],
    );
    this.quarantined = counter('fleetflame_store_quarantined_total', 'Blocks set aside, by who found them.', [
      'reason',
    ]);
    this.released = counter(
      'fleetflame_store_released_total',
      'Blocks that had been set aside and count again, since they can be read.',
    );
    this.reread = counter(
      'fleetflame_store_reread_total',
      'Blocks read as a whole because parts of them did not check out.',
    );
    this.maintenanceFailures = counter(
      'fleetflame_store_maintenance_failures_total',
      'Rounds of maintenance that failed, by task.',
      ['task'],
    );
    registry.registerMetric(
      new Gauge({
        name: 'fleetflame_store_pinned_blocks',
        help: 'Blocks that queries are reading.',
        registers: [],
        collect() {
          this.set(pinned());
        },
      }),
    );
    registerLevels(registry, totals, isAble);
    registerJobs(registry, jobs, isAble);
    registerControls(registry, controls, isAble);
  }
}

/**
 * What cannot be known now has no value: the other metrics are needed most when the catalog is away. Undefined: it is
 * known to be, and nobody waits for it; or it has just failed.
 */
async function unlessAway<T>(isAble: () => boolean, look: () => Promise<T>): Promise<T | undefined> {
  if (!isAble()) return undefined;
  try {
    return await look();
  } catch {
    // It is counted where it failed.
    return undefined;
  }
}

function registerJobs(
  registry: Registry,
  jobs: () => Promise<readonly JobTotals[]>,
  isAble: () => boolean,
): void {
  registry.registerMetric(
    new Gauge({
      name: 'fleetflame_store_jobs',
      help: 'Open jobs of all processes; failing: of both, those that have failed before.',
      labelNames: ['kind', 'state'],
      registers: [],
      async collect() {
        this.reset();
        const totals = await unlessAway(isAble, jobs);
        if (totals === undefined) return;
        for (const { kind, waiting, leased, failing } of totals) {
          this.set({ kind, state: 'waiting' }, waiting);
          this.set({ kind, state: 'leased' }, leased);
          this.set({ kind, state: 'failing' }, failing);
        }
      },
    }),
  );
}

function registerControls(
  registry: Registry,
  controls: () => Promise<readonly JobControl[]>,
  isAble: () => boolean,
): void {
  const gauge = (name: string, help: string, value: (control: JobControl) => number): void =>
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: ['kind'],
        registers: [],
        async collect() {
          this.reset();
          const all = await unlessAway(isAble, controls);
          for (const control of all ?? []) this.set({ kind: control.kind }, value(control));
        },
      }),
    );
  gauge(
    'fleetflame_store_held_bytes',
    'Bytes that are due to go and held back until somebody says that they may: fleetflame jobs resume KIND --yes.',
    ({ hold }) => hold?.bytes ?? 0,
  );
  gauge(
    'fleetflame_store_held_blocks',
    'Blocks or objects that are due to go and held back until somebody says that they may.',
    ({ hold }) => hold?.blocks ?? 0,
  );
  gauge('fleetflame_store_paused', '1: somebody paused this kind of background work.', ({ pause }) =>
    pause === undefined ? 0 : 1,
  );
}

function registerLevels(
  registry: Registry,
  totals: () => Promise<CatalogTotals>,
  isAble: () => boolean,
): void {
  // A scrape collects all gauges at once: they share one look at the catalog.
  let look: Promise<CatalogTotals | undefined> | undefined;
  const shared = (): Promise<CatalogTotals | undefined> => {
    look ??= unlessAway(isAble, totals).finally(() => {
      look = undefined;
    });
    return look;
  };
  const byLevel = (name: string, help: string, field: 'blocks' | 'bytes' | 'rows'): void =>
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: ['level'],
        registers: [],
        async collect() {
          this.reset();
          const found = await shared();
          if (found === undefined) return;
          const { levels, deleted } = found;
          for (const level of levels) this.set({ level: String(level.level) }, level[field]);
          if (field !== 'rows') this.set({ level: 'deleted' }, deleted[field]);
        },
      }),
    );
  byLevel('fleetflame_store_blocks', 'Blocks by level; deleted ones wait for their removal.', 'blocks');
  byLevel('fleetflame_store_bytes', 'Stored bytes by level.', 'bytes');
  byLevel('fleetflame_store_rows', 'Sample rows by level.', 'rows');
  registry.registerMetric(
    new Gauge({
      name: 'fleetflame_store_quarantined_blocks',
      help: 'Blocks set aside because they could not be read.',
      registers: [],
      async collect() {
        const found = await shared();
        if (found === undefined) this.reset();
        else this.set(found.quarantined);
      },
    }),
  );
}
