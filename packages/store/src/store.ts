/**
 * The store: objects, a catalog that says which of them count, and the maintenance that keeps both
 * small. See README.md for the map and docs in ARCHITECTURE.md for the invariants I1 to I8.
 *
 *   DIR/objects/     the objects: blocks/<id>, and what other packages keep beside them
 *   DIR/catalog.db   the catalog
 *   DIR/lock         held by the one process that may use DIR
 */
import { hostname } from 'node:os';
import { FleetflameError, type Block, type RangeSource } from '@fleetflame/profile';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { BlockPins } from './block-pins.ts';
import { probeStore } from './health/probe-store.ts';
import { StoreHealth, type StoreOperation } from './health/store-health.ts';
import { WatchedObjects } from './health/watched-objects.ts';
import { WHOLE, type BatchId, type BlockEntry, type QuarantinedEntry } from './catalog/block-entry.ts';
import type { Catalog, CatalogTotals, CommitResult } from './catalog/catalog.ts';
import type { JobTotals, LeasedJob } from './catalog/job-queue.ts';
import { openCatalog, type CatalogConfig } from './catalog/open-catalog.ts';
import { Compactor, MERGE_JOB, ROLLUP_JOB, type MergeResult } from './compaction/compactor.ts';
import type { LabelValue } from './compaction/erase-label.ts';
import type { MergeRunner } from './compaction/merge-task.ts';
import { MergeThread } from './compaction/merge-thread.ts';
import { TaskThread } from './threads/task-thread.ts';
import { DROPPED_LABELS, retentionByResolution, type RollupOptions } from './compaction/rollups.ts';
import { chooseEngines, lockDirectories } from './store-engines.ts';
import { CatalogCopier, type CopyOptions } from './copies/catalog-copier.ts';
import { nameRemedies, withRemedies } from './copies/name-remedies.ts';
import { Presence } from './identity/presence.ts';
import { identifyStore, type StoreIdentity } from './identity/store-identity.ts';
import { type EraseLimits, Eraser, ERASE_JOB } from './maintenance/eraser.ts';
import type { MaintenanceLimits } from './maintenance/maintenance-limits.ts';
import {
  MaintenanceLoop,
  taskStatus,
  type TaskStatus,
  type WorkEnd,
} from './maintenance/maintenance-loop.ts';
import { recheck } from './maintenance/rechecker.ts';
import { checkClocks, type ClockCheck } from './maintenance/check-clocks.ts';
import { readExpiryClock } from './maintenance/expiry-clock.ts';
import { Governor } from './maintenance/governor.ts';
import { JobControls, type JobControl } from './maintenance/job-controls.ts';
import { Expirer, REMEMBER_BATCHES_MS } from './maintenance/expirer.ts';
import { removeDeleted } from './maintenance/remover.ts';
import { sweep } from './maintenance/sweeper.ts';
import { SymbolSweeps } from './maintenance/symbol-sweeps.ts';
import { ObjectMetrics } from './objects/object-metrics.ts';
import type { ObjectStore, ObjectStoreConfig } from './objects/object-store.ts';
import { createObjectStore } from './objects/open-object-store.ts';
import type { RecordObjectEvent } from './objects/object-events.ts';
import { ObjectSource } from './reading/object-source.ts';
import { readChecked } from './reading/read-checked.ts';
import type { ReaderEvent } from './reading/store-reader.ts';
import { BatchRanges } from './origin/batch-ranges.ts';
import { sealBlock, sealEncoded, type EncodedBlock, type SealedBlock } from './seal-block.ts';
import {
  avoidable,
  findGaps,
  selectBlocks,
  type BlockNeeds,
  type RangeGap,
  type SelectedBlock,
  type Tier,
} from './select-blocks.ts';
import { patiently } from './patiently.ts';
import { shardOf } from './shard-of.ts';
import { StoreClock } from './store-clock.ts';
import { StoreMetrics } from './store-metrics.ts';

/** Retention and removal look at rows only; once a minute is often enough for ages of days. */
const EXPIRE_EVERY_MS = 60_000;
/** Rows of a status page. */
const STATUS_JOBS = 100;
/** Lists all objects; orphans are rare and harmless. */
const SWEEP_EVERY_MS = 600_000;

export interface StoreOptions {
  /**
   * For engines that live on this machine: created when it is not there, locked for this process.
   * Undefined: objects and catalog are named and both can be shared between processes.
   */
  readonly dataDir?: string;
  /** Default: dataDir/objects. */
  readonly objects?: ObjectStoreConfig;
  /** Default: dataDir/catalog.db. */
  readonly catalog?: CatalogConfig;
  /** Blocks whose newest sample is older are dropped. */
  readonly retentionMs: number;
  readonly log: Logger;
  readonly registry: Registry;
  /** Blocks coarser in time and without host-level labels, and how long they are kept; default: none. */
  readonly rollups?: RollupOptions;
  /**
   * How long the identity of a committed batch is kept (I2); default REMEMBER_BATCHES_MS. Ingest refuses
   * what could be a repeat from before.
   */
  readonly rememberBatchesMs?: number;
  /**
   * Into how many shards compaction divides a tenant's services; default 1. More of them make merges that
   * can run at the same time and blocks that a question about one service need not read.
   */
  readonly shards?: number;
  /** Copies of a SQLite catalog into object storage; default: none are made. */
  readonly copies?: CopyOptions;
  /** How background work is paced: overrides of MAINTENANCE_LIMITS. */
  readonly maintenanceLimits?: Partial<MaintenanceLimits>;
  /** What may be asked to be erased: overrides of ERASE_LIMITS. */
  readonly eraseLimits?: Partial<EraseLimits>;
  /** Unix ms; default: the catalog's clock. */
  readonly now?: () => number;
  /** A clock that nobody sets, ms since any moment; default: this process' own. */
  readonly elapsedMs?: () => number;
}

export interface SnapshotRange {
  /** Unix ms, inclusive. */
  readonly fromMs: number;
  /** Unix ms, exclusive. */
  readonly toMs: number;
  /** Only this service is asked for: blocks of other shards are left out. */
  readonly service?: string | undefined;
  /** What the question can do without; undefined: it reads raw blocks. */
  readonly needs?: BlockNeeds | undefined;
}

/** What a query reads (I6). The objects of its blocks stay until `release`. */
export interface Snapshot {
  /** Live blocks with a sample in the range, by time; each says for which part of it it is to be read. */
  readonly blocks: readonly SelectedBlock[];
  /** Blocks of the range that cannot be read (I7). */
  readonly quarantined: readonly QuarantinedEntry[];
  /** Parts of the range that are left only in rollups which cannot answer the question. */
  readonly gaps: readonly RangeGap[];
  /** What each resolution is read for, raw first: outside of the second one's range raw blocks answer for what is in rollups, too. */
  readonly tiers: readonly Tier[];
  /** Newest sample of the whole store, Unix ms; 0: it is empty. */
  readonly newestSampleMs: number;
  release(): void;
}

export interface StoreStatus extends CatalogTotals {
  /** Of objects and catalog; undefined: they were never asked. */
  readonly id?: string;
  readonly pinnedBlocks: number;
  readonly retentionMs: number;
  readonly tasks: readonly TaskStatus[];
  /** Open jobs by kind. */
  readonly jobs: readonly JobTotals[];
  /** What was paused, and what is held back until somebody says that it may go. */
  readonly controls: readonly JobControl[];
}

/** What a store is made of; `open` chooses the engines. */
export interface StoreParts {
  readonly objects: ObjectStore;
  /** The same objects, for other threads. */
  readonly objectsConfig: ObjectStoreConfig;
  /** Told of what these threads did with them; undefined: nobody is. */
  readonly record?: RecordObjectEvent;
  readonly catalog: Catalog;
  readonly merges: MergeRunner;
  /** The file of a SQLite catalog, which is to be copied; undefined: others look after it. */
  readonly catalogPath?: string;
  /** Undefined: objects and catalog are known to belong together. */
  readonly identity?: StoreIdentity;
  /** That this process uses a catalog which others share. */
  readonly presence?: Presence;
  /** Told of what objects and catalog do; undefined: nobody is. */
  readonly health?: StoreHealth;
  /** What other clocks say of `now`; default: there are none. */
  readonly otherClocks?: () => ClockCheck;
  /** Called last. */
  readonly release: () => void;
}

export class Store {
  readonly objects: ObjectStore;
  /** The same objects, for other threads: see StoreReader. */
  readonly objectsConfig: ObjectStoreConfig;
  readonly catalog: Catalog;
  readonly health: StoreHealth;
  readonly retentionMs: number;
  readonly rememberBatchesMs: number;
  readonly controls: JobControls;
  /** Asked before symbol tables that were replaced are removed. */
  readonly symbolSweeps: SymbolSweeps;
  readonly #retention: ReadonlyMap<number, number>;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #release: () => void;
  readonly #record: RecordObjectEvent;
  readonly #metrics: StoreMetrics;
  readonly #pins = new BlockPins();
  /** Commits that are underway. */
  readonly #commits = new Set<Promise<CommitResult>>();
  readonly #merges: MergeRunner;
  /** Of blocks that somebody suspects: these do not wait for merges. */
  readonly #checks: TaskThread;
  readonly #identity: StoreIdentity | undefined;
  readonly #presence: Presence | undefined;
  readonly #eraser: Eraser;
  readonly #maintenance: MaintenanceLoop;
  #closing: Promise<void> | undefined;

  constructor(options: Omit<StoreOptions, 'dataDir' | 'objects' | 'catalog'>, parts: StoreParts) {
    this.objects = parts.objects;
    this.objectsConfig = parts.objectsConfig;
    this.#record = parts.record ?? (() => undefined);
    this.catalog = parts.catalog;
    const health = parts.health ?? new StoreHealth(options.log, options.registry);
    this.health = health;
    this.#merges = parts.merges;
    this.#checks = new TaskThread('verify', this.#record);
    this.#identity = parts.identity;
    this.#presence = parts.presence;
    this.#release = parts.release;
    this.retentionMs = options.retentionMs;
    this.#retention = retentionByResolution(options.retentionMs, options.rollups);
    this.rememberBatchesMs = options.rememberBatchesMs ?? REMEMBER_BATCHES_MS;
    this.#log = options.log;
    this.#now = options.now ?? Date.now;
    this.controls = new JobControls(parts.catalog.notes);
    const { catalog, otherClocks = NO_OTHER_CLOCKS } = parts;
    const governor = new Governor({ catalog, controls: this.controls, log: options.log });
    this.symbolSweeps = new SymbolSweeps({ catalog, controls: this.controls, governor, otherClocks });
    this.#metrics = new StoreMetrics(
      options.registry,
      () => parts.catalog.totals(),
      () => parts.catalog.jobs.totals(this.#now()),
      () => this.#pins.size,
      () => health.isAble('read'),
      () => this.controls.list(),
    );
    this.#eraser = new Eraser({
      objects: parts.objects,
      objectsConfig: parts.objectsConfig,
      catalog: parts.catalog,
      merges: parts.merges,
      metrics: this.#metrics,
      log: this.#log,
      quarantine: this.#quarantine.bind(this),
      ...(options.eraseLimits === undefined ? {} : { limits: options.eraseLimits }),
    });
    this.#maintenance = this.#createMaintenance({ ...parts, otherClocks, governor }, options);
  }

  /**
   * Throws unavailable when another process has the directory, unsupported when a newer version wrote it or when
   * objects and catalog are not of one store.
   */
  static async open(options: StoreOptions): Promise<Store> {
    const { dataDir, retentionMs } = options;
    if (!(retentionMs > 0)) {
      throw new FleetflameError('invalid_input', `A retention of ${retentionMs} ms keeps nothing.`, {
        field: 'retentionMs',
      });
    }
    const { objects: objectsConfig, catalog: catalogConfig } = chooseEngines(options);
    const release = await lockDirectories(dataDir, catalogConfig);
    const { record } = new ObjectMetrics(options.registry);
    let objects: ObjectStore | undefined;
    let catalog: Catalog | undefined;
    let presence: Presence | undefined;
    try {
      const health = new StoreHealth(options.log, options.registry);
      const created = createObjectStore(objectsConfig, record);
      objects = new WatchedObjects(await patiently(created, 'object storage', options.log), health);
      const storage = objects;
      const remedies = (): Promise<string> => nameRemedies(storage, catalogConfig.engine, Date.now());
      const opened = openCatalog(catalogConfig, (kind, failure) => {
        if (failure === undefined) health.succeeded(kind);
        else health.failed(kind, failure);
      });
      catalog = await patiently(withRemedies(opened, remedies), 'the catalog', options.log);
      if (catalogConfig.engine !== 'sqlite') presence = await Presence.enter(catalog, options.log);
      const identity = await identifyStore(objects, catalog, remedies);
      const clock = new StoreClock(catalog, options.log);
      if (options.now === undefined) await clock.start();
      const now = options.now ?? (() => clock.now());
      // Before anything is written: a clock that is wrong from now on finds a right one kept.
      await readExpiryClock(catalog, retentionByResolution(retentionMs, options.rollups), now());
      const otherClocks = (): ClockCheck => checkClocks(clock.aheadMs, storage.clockAheadMs());
      return new Store(
        { ...options, now },
        {
          objects,
          objectsConfig,
          record,
          catalog,
          merges: new MergeThread(record),
          ...(catalogConfig.engine === 'sqlite' ? { catalogPath: catalogConfig.path } : {}),
          identity,
          ...(presence === undefined ? {} : { presence }),
          health,
          ...(options.now === undefined ? { otherClocks } : {}),
          release: () => {
            clock.stop();
            release();
          },
        },
      );
    } catch (error) {
      await presence?.leave();
      await catalog?.close();
      objects?.close();
      release();
      throw error;
    }
  }

  /**
   * Makes one segment durable: object, then row and batches in one transaction (I1). Batches whose numbers
   * were committed before come back and nothing is stored (I2): call again without them. Throws
   * unavailable when nothing was stored, or when that cannot be known; calling again is safe, since
   * the batches would come back as duplicates.
   */
  async commitSegment(segment: {
    readonly block: Block | EncodedBlock;
    readonly batches: readonly BatchId[];
    /** When the first of the batches was found young enough, by `now()`; default: now. */
    readonly acceptedMs?: number;
  }): Promise<CommitResult> {
    if (this.#closing !== undefined) throw closed();
    const acceptedMs = segment.acceptedMs ?? this.#now();
    const endEncode = this.#metrics.encodeSeconds.startTimer();
    const { block } = segment;
    const place = { ...WHOLE, level: 0 };
    const from = { work: undefined, batches: BatchRanges.of(segment.batches, acceptedMs) };
    const sealed =
      'bytes' in block
        ? sealEncoded(block, place, this.#now(), from)
        : sealBlock(block, place, this.#now(), from);
    endEncode();
    const commit = this.#commit(sealed, segment.batches, acceptedMs);
    this.#commits.add(commit);
    try {
      return await commit;
    } finally {
      this.#commits.delete(commit);
    }
  }

  /** Unix ms, by the clock that all who share the catalog agree on. */
  now(): number {
    return this.#now();
  }

  async snapshot(range: SnapshotRange): Promise<Snapshot> {
    const needs: BlockNeeds = range.needs ?? { labels: 'all' };
    const view = await this.catalog.view(range.fromMs, range.toMs, [...this.#retention.keys()]);
    const { service } = range;
    const wanted = (block: BlockEntry): boolean =>
      service === undefined || block.shard === shardOf(block.tenant, service, block.shards);
    const live = view.blocks.filter(wanted);
    const nowMs = this.#now();
    const damaged = view.quarantined.filter(wanted);
    const avoid = avoidable(damaged, range, this.#retention, nowMs);
    const { blocks, tiers } = selectBlocks(live, range, needs, avoid);
    const read = new Set(tiers.map(({ resolutionMs }) => resolutionMs));
    return {
      blocks,
      quarantined: damaged.filter((entry) => read.has(entry.resolutionMs)),
      gaps: findGaps(live, tiers, this.#retention, nowMs),
      tiers,
      newestSampleMs: view.newestSampleMs,
      release: this.#pins.pin(blocks.map((block) => block.id)),
    };
  }

  source(entry: BlockEntry): RangeSource {
    return new ObjectSource(this.objects, entry.key, entry.sizeBytes);
  }

  /**
   * What `read` makes of parts of a block, which is read once more as a whole before it is taken for damaged.
   */
  async read<T>(entry: BlockEntry, read: (source: RangeSource) => Promise<T>): Promise<T> {
    return await readChecked(this.objects, entry, read, (error) => this.#noteReread(entry.id, error));
  }

  /** Takes note of what another thread did that reads the same objects by a StoreReader. */
  noteReader(event: ReaderEvent): void {
    if (event.kind === 'object') this.#record(event.event);
    else if (event.kind === 'succeeded') this.health.succeeded(event.operation);
    else if (event.kind === 'failed') this.health.failed(event.operation, event.error);
    else this.#noteReread(event.block, event.error);
  }

  /**
   * Reads all of a block, in a thread of its own. Resolves to why it is not sound, undefined when it is; throws
   * unavailable when that cannot be known now.
   */
  async check(entry: BlockEntry): Promise<string | undefined> {
    const reply = await this.#checks.run({ task: 'check', objects: this.objectsConfig, entry });
    if (reply.ok) return reply.problem;
    const code = reply.code === 'internal' ? 'unavailable' : reply.code;
    throw new FleetflameError(code, `Block ${entry.id} could not be checked: ${reply.message}`);
  }

  /** Sets a block aside that could not be read (I7): queries report it as missing, merges leave it alone. */
  async quarantine(entry: BlockEntry, reason: string, finder: 'query' | 'verify' = 'query'): Promise<void> {
    await this.#quarantine(entry, reason, finder);
  }

  async status(): Promise<StoreStatus> {
    return {
      ...(this.#identity === undefined ? {} : { id: this.#identity.id }),
      ...(await this.catalog.totals()),
      pinnedBlocks: this.#pins.size,
      retentionMs: this.retentionMs,
      tasks: taskStatus(await this.catalog.jobs.list(STATUS_JOBS, 'task')),
      jobs: await this.catalog.jobs.totals(this.#now()),
      controls: await this.controls.list(),
    };
  }

  /** Tries an operation, so that `health` learns of it. Throws what it throws. */
  async probe(operation: StoreOperation): Promise<void> {
    await probeStore(operation, this.objects, this.catalog);
  }

  /** Asks for everything with the label to be removed from all blocks; a job does it. Returns the job's id. */
  async erase(label: LabelValue): Promise<string> {
    return this.#eraser.request(label, this.#now());
  }

  /** Compaction, retention and sweeping, in the background until `close`. */
  startMaintenance(): void {
    this.#maintenance.start();
  }

  /** One round of what is due, now. */
  async maintain(): Promise<void> {
    await this.#maintenance.round();
  }

  /** Waits for commits that are underway; a running merge is given up. Afterwards another process may open. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const stopped = this.#maintenance.stop();
    await Promise.all([this.#merges.close(), this.#checks.close()]);
    await stopped;
    await Promise.allSettled(this.#commits);
    await this.#presence?.leave();
    await this.catalog.close();
    this.objects.close();
    this.#release();
  }

  async #commit(
    { entry, bytes }: SealedBlock,
    batches: readonly BatchId[],
    acceptedMs: number,
  ): Promise<CommitResult> {
    const endPut = this.#metrics.putSeconds.startTimer();
    await this.objects.put(entry.key, bytes);
    endPut();
    const endCommit = this.#metrics.commitSeconds.startTimer();
    let result: CommitResult;
    try {
      result = await this.catalog.commit(entry, batches, acceptedMs);
    } catch (error) {
      result = await this.#settle(entry, error);
    }
    endCommit();
    // Its id was never committed and never will be: nobody else can want the object.
    if (!result.committed) await this.objects.delete(entry.key);
    else await this.#markUsed();
    return result;
  }

  /** The next commit or start does it when this one cannot. */
  async #markUsed(): Promise<void> {
    try {
      await this.#identity?.markUsed();
    } catch (error) {
      this.#log.warn({ err: error }, 'object storage could not be marked as used');
    }
  }

  /** The commit failed, but perhaps only its answer was lost: ask the catalog, which then decides for good. */
  async #settle(entry: BlockEntry, error: unknown): Promise<CommitResult> {
    let outcome;
    try {
      outcome = await this.catalog.settle(entry, this.#now());
    } catch (cause) {
      this.#log.error({ err: cause, block: entry.id }, 'whether a segment was committed is not known');
      throw error;
    }
    if (outcome === 'absent') throw error;
    this.#log.warn({ err: error, block: entry.id }, 'a segment was committed although its commit failed');
    return { committed: true };
  }

  #noteReread(block: string, error: unknown): void {
    this.#metrics.reread.inc();
    this.#log.warn({ err: error, block }, 'parts of a block did not check out: it is read as a whole');
  }

  async #quarantine(
    entry: BlockEntry,
    reason: string,
    finder: 'query' | 'merge' | 'sweep' | 'verify',
  ): Promise<void> {
    if (!(await this.catalog.quarantine(entry.id, reason, this.#now()))) return;
    this.#metrics.quarantined.inc({ reason: finder });
    this.#log.error({ block: entry.id, reason, finder }, 'a block was quarantined: it cannot be read');
  }

  #createMaintenance(
    {
      objectsConfig,
      catalogPath,
      otherClocks,
      governor,
    }: StoreParts & { readonly otherClocks: () => ClockCheck; readonly governor: Governor },
    {
      shards = 1,
      rollups,
      copies,
      registry,
      maintenanceLimits = {},
      elapsedMs = () => performance.now(),
    }: Pick<StoreOptions, 'shards' | 'rollups' | 'copies' | 'registry' | 'maintenanceLimits' | 'elapsedMs'>,
  ): MaintenanceLoop {
    const { objects, catalog, controls } = this;
    const metrics = this.#metrics;
    const log = this.#log;
    const quarantine = this.#quarantine.bind(this);
    const shared = { objects, catalog, metrics, log, quarantine, governor, otherClocks };
    const sweeping = { ...shared, retentionMs: this.#retention, cursor: { key: '' } };
    const compactor = new Compactor({
      ...shared,
      objectsConfig,
      merges: this.#merges,
      shards,
      dropLabels: rollups === undefined ? undefined : (rollups.dropLabels ?? DROPPED_LABELS),
    });
    const eraser = this.#eraser;
    const { rememberBatchesMs } = this;
    const removing = { ...shared, pins: this.#pins };
    const expirer = new Expirer({ ...shared, retentionMs: this.#retention, rememberBatchesMs, elapsedMs });
    const compact = async (job: LeasedJob, nowMs: number): Promise<WorkEnd> =>
      endOfMerge(await compactor.merge(job, nowMs));
    const copier =
      catalogPath === undefined || copies === undefined || copies.everyMs === 0
        ? undefined
        : new CatalogCopier({ ...shared, path: catalogPath, copies, controls, registry, now: this.#now });
    const loop: MaintenanceLoop = new MaintenanceLoop({
      jobs: catalog.jobs,
      tasks: [
        { name: 'plan', everyMs: 0, run: (nowMs) => compactor.plan(nowMs, () => loop.stopped) },
        // Before batches are forgotten: that they are stored proves what a crash has left behind.
        { name: 'sweep', everyMs: SWEEP_EVERY_MS, run: (nowMs) => sweep(sweeping, nowMs) },
        { name: 'expire', everyMs: EXPIRE_EVERY_MS, run: (nowMs) => expirer.run(nowMs) },
        { name: 'remove', everyMs: EXPIRE_EVERY_MS, run: (nowMs) => removeDeleted(removing, nowMs) },
        { name: 'recheck', everyMs: SWEEP_EVERY_MS, run: (nowMs) => recheck(shared, nowMs) },
        ...(copier === undefined
          ? []
          : [{ name: 'copy', everyMs: copier.everyMs, run: (nowMs: number) => copier.run(nowMs) }]),
      ],
      work: [
        { kind: ERASE_JOB, run: (job, nowMs) => eraser.run(job, nowMs, () => loop.stopped) },
        { kind: MERGE_JOB, run: compact },
        { kind: ROLLUP_JOB, run: compact },
      ],
      paused: () => this.controls.paused(),
      owner: `${hostname()}/${process.pid}`,
      metrics,
      log,
      now: this.#now,
      limits: maintenanceLimits,
    });
    return loop;
  }
}

const NO_OTHER_CLOCKS = (): ClockCheck => ({ doubt: undefined, isConfirmed: false });

function endOfMerge({ outcome, reason }: MergeResult): WorkEnd {
  if (outcome === 'done' || outcome === 'fenced_out') return { kind: 'ended' };
  if (outcome === 'cancelled') return { kind: 'release' };
  if (outcome === 'failed' || outcome === 'sums_differ') return { kind: 'retry', reason };
  // The blocks that are left are planned anew.
  return { kind: 'outcome', outcome };
}

function closed(): FleetflameError {
  return new FleetflameError('unavailable', 'The store is closed: the server is stopping.');
}
