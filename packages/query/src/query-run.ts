/**
 * One query while it runs: its snapshot, what it may read, and its coverage. Every RPC is
 *
 *   begin ──▶ snapshot ──▶ footers ──▶ profile type ──▶ plan ──▶ scan ──▶ answer ──▶ end (always)
 */
import {
  BLOCK_LIMITS,
  FleetflameError,
  scaleValues,
  SERVICE_NAME,
  type Block,
  type Selector,
  type SeriesScale,
} from '@fleetflame/profile';
import type { Dataset } from '@fleetflame/proto/block/v1/footer';
import type { BlockNeeds, SelectedBlock, Snapshot, TimeRange } from '@fleetflame/store';
import type { Logger } from 'pino';
import type { BlockReader } from './block-reader.ts';
import { Breather } from './breather.ts';
import { CoverageBuilder } from './coverage.ts';
import {
  openBlocks,
  planBlocks,
  presentTypes,
  resolveType,
  scaleInto,
  serviceMatchers,
  type OpenedBlock,
  type PlannedBlock,
  type ReportUnreadable,
} from './plan.ts';
import type { QueryHost } from './query-host.ts';
import type { BlockOutcome, QueryMetrics } from './query-metrics.ts';
import { readAhead } from './read-ahead.ts';
import type { LimitCheck, Scope } from './scope.ts';

/** What a query works with. */
export interface QueryContext {
  /** Of this query alone. */
  readonly host: QueryHost;
  /** As what follows: of all queries of the thread. */
  readonly reader: BlockReader;
  readonly checks: LimitCheck;
  readonly metrics: QueryMetrics;
  readonly log: Logger;
}

/** How a planned block is to be read. */
export interface ReadPlan extends PlannedBlock {
  /** Times and values, not only totals. */
  readonly points: boolean;
}

export interface ScannedBlock<Plan extends ReadPlan> {
  readonly plan: Plan;
  readonly block: Block;
}

export class QueryRun {
  readonly context: QueryContext;
  readonly scope: Pick<Scope, 'fromMs' | 'toMs'>;
  readonly coverage: CoverageBuilder;
  readonly breather: Breather;
  readonly #snapshot: Snapshot;
  readonly #lookBack: (edgeMs: number) => Promise<Snapshot>;
  readonly #before: Snapshot[] = [];
  readonly #types = new Map<string, ReadonlySet<string>>();
  /** By profile type, into the unit of the answer; those that are in it are left out. */
  readonly #scales = new Map<string, SeriesScale>();
  #opened: readonly OpenedBlock[] = [];

  private constructor(
    context: QueryContext,
    scope: Pick<Scope, 'fromMs' | 'toMs'>,
    snapshot: Snapshot,
    signal: AbortSignal,
    lookBack: (edgeMs: number) => Promise<Snapshot>,
  ) {
    this.context = context;
    this.scope = scope;
    this.coverage = new CoverageBuilder(snapshot, scope);
    this.breather = new Breather(signal);
    this.#snapshot = snapshot;
    this.#lookBack = lookBack;
  }

  /**
   * Runs `work` on one snapshot of the store, which is released whatever happens. Without `needs` it holds raw
   * blocks.
   */
  static async with<T>(
    context: QueryContext,
    scope: Pick<Scope, 'fromMs' | 'toMs'> & Partial<Pick<Scope, 'selector'>>,
    signal: AbortSignal,
    work: (run: QueryRun) => Promise<T>,
    needs?: BlockNeeds,
  ): Promise<T> {
    const snapshot = await context.host.snapshot({
      fromMs: scope.fromMs,
      toMs: scope.toMs,
      service: onlyService(scope.selector),
      needs,
    });
    const service = onlyService(scope.selector);
    const lookBack = (edgeMs: number): Promise<Snapshot> =>
      context.host.snapshot({
        fromMs: Math.max(0, edgeMs - BLOCK_LIMITS.profileDurationMs),
        toMs: edgeMs,
        service,
      });
    const run = new QueryRun(context, scope, snapshot, signal, lookBack);
    try {
      await run.#open();
      return await work(run);
    } finally {
      snapshot.release();
      for (const before of run.#before) before.release();
    }
  }

  get opened(): readonly OpenedBlock[] {
    return this.#opened;
  }

  /**
   * The whole profile type that is meant, of those that the selection has; becomes the coverage's. It stands for all that
   * are the same question: `typesOf` has them.
   */
  resolveType(scope: Scope): string {
    const selected = presentTypes(this.#opened, serviceMatchers(scope));
    // A service that is not there: its answer is empty, but of a type that is.
    const present = selected.length > 0 ? selected : presentTypes(this.#opened);
    const resolved = resolveType(scope.profileType, present);
    this.#types.set(resolved.id, new Set(resolved.ids));
    for (const id of resolved.ids) {
      const scale = scaleInto(id, resolved.id);
      if (scale.value !== 1 || scale.period !== 1) this.#scales.set(id, scale);
    }
    this.coverage.profileType(resolved);
    return resolved.id;
  }

  /** All types that a resolved one stands for. */
  typesOf(profileType: string): ReadonlySet<string> {
    return this.#types.get(profileType) ?? new Set([profileType]);
  }

  /** What a footer says that a dataset adds up to, in the unit of the answer. */
  totalOf(dataset: Dataset): number {
    return Number(dataset.total) * (this.#scales.get(dataset.profileType)?.value ?? 1);
  }

  /** Blocks that can match, with their datasets; the others count as answered. */
  plan(scope: Scope, profileType: string | undefined): PlannedBlock[] {
    const types = profileType === undefined ? undefined : this.typesOf(profileType);
    const planned = planBlocks(this.#opened, scope, types);
    this.count('skipped', this.#opened.length - planned.length);
    return planned;
  }

  /** Blocks in the order of their plans, their values in the unit of the answer; those that cannot be read become missing coverage. */
  async *scan<Plan extends ReadPlan>(
    plans: readonly Plan[],
  ): AsyncGenerator<ScannedBlock<Plan>, void, undefined> {
    const { reader, host, checks } = this.context;
    const held = new Map<Plan, () => void>();
    const giveBack = (plan: Plan): void => {
      held.get(plan)?.();
      held.delete(plan);
    };
    const read = async (plan: Plan): Promise<ScannedBlock<Plan> | undefined> => {
      held.set(plan, await host.take('decoded', decodedBytes(plan)));
      try {
        const { block, bytesRead } = await reader.block(plan.entry, plan.footer, plan.datasets, plan.points);
        this.coverage.bytesRead(bytesRead);
        return { plan, block };
      } catch (error) {
        giveBack(plan);
        await this.#unreadable(plan.entry, error);
        return undefined;
      }
    };
    try {
      for await (const scanned of readAhead(plans, checks.limits.readAhead, read)) {
        await this.breather.breathe();
        if (scanned === undefined) continue;
        this.count('scanned', 1);
        yield { plan: scanned.plan, block: scaleValues(scanned.block, this.#scales) };
        giveBack(scanned.plan);
      }
    } finally {
      for (const plan of held.keys()) giveBack(plan);
    }
  }

  count(outcome: BlockOutcome, blocks: number): void {
    if (blocks > 0) this.context.metrics.blocks.inc({ outcome }, blocks);
  }

  /** I7: a block that is damaged is set aside for good; one that cannot be reached now is only missing. */
  readonly #unreadable: ReportUnreadable = async (entry, error) => {
    const { host, log } = this.context;
    const reason = error instanceof Error ? error.message : String(error);
    this.coverage.missing(entry, reason);
    this.count('missing', 1);
    const damaged =
      error instanceof FleetflameError &&
      (error.code === 'corrupt_data' || error.code === 'invalid_input' || error.code === 'not_found');
    if (!damaged) {
      log.error({ err: error, block: entry.id }, 'a block could not be read; the answer says it is missing');
      return;
    }
    try {
      await host.quarantine(entry, reason);
    } catch (cause) {
      // The answer says what is missing all the same; the next query will find it again.
      log.error({ err: cause, block: entry.id, reason }, 'a damaged block could not be quarantined');
    }
  };

  async #open(): Promise<void> {
    const { reader, checks } = this.context;
    const { blocks } = this.#snapshot;
    checks.atMost(
      'blocks',
      blocks.length,
      'scope',
      `The time range holds ${blocks.length} blocks, at most ${checks.limits.blocks} are read: shorten it.`,
    );
    this.#opened = await openBlocks(this.#snapshot, reader, this.coverage, this.breather, this.#unreadable);
    await this.#openBefore();
    const coarsest = Math.max(0, ...blocks.map((entry) => entry.resolutionMs));
    for (const { entry, footer, before, edge } of this.#opened) {
      if (before === true || edge === true) continue;
      // Losses have no time: those of a block that is read for an edge only are in its rollup as well.
      if (!entry.rolledUp || entry.resolutionMs === coarsest) this.coverage.losses(footer);
    }
  }

  /**
   * Raw blocks with profiles that were not over when a part of the range began that raw blocks answer: the range itself,
   * and where rollups end. Rollups have of each profile what lies in their cells, so raw blocks that are in them answer
   * outside of those only; what is not in rollups yet answers everywhere. Increases begin before the range, too.
   * What is there cannot be told from the blocks of the range: the profile of a minute may have ended in it.
   */
  async #openBefore(): Promise<void> {
    const { fromMs, toMs } = this.scope;
    const rollups = this.#snapshot.tiers[1]?.range;
    const left = { fromMs, toMs: rollups?.fromMs ?? toMs };
    await this.#openReaching(fromMs, { before: true }, (entry) => (entry.rolledUp ? left : { fromMs, toMs }));
    if (rollups === undefined || rollups.toMs >= toMs) return;
    const right = { fromMs: rollups.toMs, toMs };
    await this.#openReaching(right.fromMs, { edge: true }, (entry) => (entry.rolledUp ? right : undefined));
  }

  /** Blocks that lie before `edgeMs`, each for the range that it answers. */
  async #openReaching(
    edgeMs: number,
    place: Pick<OpenedBlock, 'before' | 'edge'>,
    rangeOf: (entry: SelectedBlock) => TimeRange | undefined,
  ): Promise<void> {
    if (edgeMs === 0) return;
    const snapshot = await this.#lookBack(edgeMs);
    this.#before.push(snapshot);
    const blocks: SelectedBlock[] = [];
    for (const entry of snapshot.blocks) {
      const range = entry.resolutionMs === 0 ? rangeOf(entry) : undefined;
      const isKnown = this.#opened.some(
        (block) => block.entry.id === entry.id && block.entry.range.fromMs === range?.fromMs,
      );
      if (range !== undefined && !isKnown) blocks.push({ ...entry, range });
    }
    const opened = await openBlocks(
      { ...snapshot, blocks },
      this.context.reader,
      this.coverage,
      this.breather,
      this.#unreadable,
    );
    this.#opened = [...this.#opened, ...opened.map((block) => ({ ...block, ...place }))];
  }
}

/** About what the planned part of a block holds in memory when it is decoded, bytes. */
function decodedBytes({ entry, footer, datasets, points }: ReadPlan): number {
  let samples = 0;
  for (const index of datasets) samples += footer.datasets[index]!.sampleCount;
  const rows = new Map(footer.tables.map((table) => [table.name, Number(table.rows)]));
  const rowsOf = (name: string): number => rows.get(name) ?? 0;
  const share = rowsOf('samples') === 0 ? 0 : samples / rowsOf('samples');
  return Math.ceil(
    // Compressed bytes are there until they are decoded; text, which is most of the rest, takes three times as many.
    entry.sizeBytes * (share + 1) +
      samples * 24 +
      (points ? rowsOf('points') * share * 12 : 0) +
      rowsOf('stacks') * 8 +
      rowsOf('locations') * 32 +
      rowsOf('functions') * 80 +
      rowsOf('series') * 400,
  );
}

/** The one service that can match; undefined: several can. */
function onlyService(selector: Selector | undefined): string | undefined {
  return selector?.matchers.find((matcher) => matcher.name === SERVICE_NAME && matcher.op === '=')?.value;
}

/** What a question by this scope, and by these labels besides, can do without. */
export function needsOf(
  scope: Pick<Scope, 'selector'>,
  labels: readonly string[],
  stepMs?: number,
): BlockNeeds {
  return { labels: [...scope.selector.matchers.map((matcher) => matcher.name), ...labels], stepMs };
}
