/**
 * Compaction as jobs. `plan` looks at what could be merged, a bounded portion at a time, and writes
 * jobs; `merge` does one of them, in whatever process has leased it. It ends with a swap of rows in one
 * transaction that also ends the job, or changes nothing (I5). A crash at any point leaves either the
 * inputs or the outputs live; objects of the other side are removed later.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { newBlockId } from '../block-id.ts';
import type { BlockEntry } from '../catalog/block-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { LeasedJob } from '../catalog/job-queue.ts';
import { isDamage } from '../damage.ts';
import type { ObjectStore, ObjectStoreConfig } from '../objects/object-store.ts';
import type { StoreMetrics } from '../store-metrics.ts';
import { differenceOf, sumDatasets } from './dataset-sums.ts';
import { LEVEL_WINDOWS, levelEdges } from './levels.ts';
import type { MergeRunner } from './merge-task.ts';
import { ROLLUP_LEVELS } from './rollups.ts';
import {
  jobBytes,
  MERGE_INPUT_BLOCKS,
  MERGE_INPUT_BYTES,
  MERGE_INPUT_POINTS,
  planCompaction,
  planRollups,
  type CompactionJob,
} from './plan.ts';

/** Blocks that one plan looks at: a backlog is planned in portions, the oldest first. */
const PLAN_BLOCKS = 20_000;
/** Windows with several blocks that one plan looks at. */
const PLAN_WINDOWS = 100;

export const MERGE_JOB = 'merge';
export const ROLLUP_JOB = 'rollup';

export interface CompactorOptions {
  readonly objects: ObjectStore;
  readonly objectsConfig: ObjectStoreConfig;
  readonly catalog: Catalog;
  readonly merges: MergeRunner;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
  /** Shards of the tenant. */
  readonly shards: number;
  /** Labels that rollups sum over; undefined: there are no rollups. */
  readonly dropLabels: readonly string[] | undefined;
  readonly quarantine: (entry: BlockEntry, reason: string, finder: 'merge') => Promise<void>;
}

/**
 * How a merge ended. `failed` and `sums_differ` are tried again later; `cancelled` at once, by whoever
 * comes next; the others have ended the job or let others end it.
 */
export type MergeOutcome =
  | 'done'
  | 'input_quarantined'
  | 'inputs_gone'
  | 'fenced_out'
  | 'sums_differ'
  | 'failed'
  | 'cancelled';

export interface MergeResult {
  readonly outcome: MergeOutcome;
  /** Why, for people. */
  readonly reason: string;
}

/** What a job's payload says. */
interface MergePayload {
  readonly level: number;
  readonly startMs: number;
  /** 0: a merge, which keeps its resolution. */
  readonly resolutionMs: number;
}

export class Compactor {
  readonly #options: CompactorOptions;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** Returns how many jobs it wrote. `stopped` is asked between them. */
  async plan(nowMs: number, stopped: () => boolean): Promise<number> {
    const { catalog, metrics, shards } = this.#options;
    let added = 0;
    for (const job of planCompaction(await this.#candidates(nowMs), nowMs, shards)) {
      if (stopped()) break;
      if (job.kind === 'relevel') {
        await catalog.relevel(job.input.id, job.window.level);
        metrics.merges.inc({ level: String(job.window.level), outcome: 'relevelled' });
      } else if (await this.#add(job, 0, nowMs)) added++;
    }
    return added + (await this.#planRollups(nowMs, stopped));
  }

  async #planRollups(nowMs: number, stopped: () => boolean): Promise<number> {
    const { catalog, shards, dropLabels } = this.#options;
    if (dropLabels === undefined) return 0;
    let added = 0;
    for (const { resolutionMs, fromMs, fromLevel } of ROLLUP_LEVELS) {
      const blocks = await catalog.compaction.notRolledUp(fromMs, fromLevel, PLAN_BLOCKS);
      for (const job of planRollups(blocks, nowMs, shards)) {
        if (stopped()) return added;
        if (job.kind === 'merge' && (await this.#add(job, resolutionMs, nowMs))) added++;
      }
    }
    return added;
  }

  /** Does one job, a merge or a rollup; the caller gives it back when it was not done. */
  async merge(job: LeasedJob, nowMs: number): Promise<MergeResult> {
    const { metrics } = this.#options;
    const payload = parsePayload(job.payload);
    const result = await this.#merge(job, payload, nowMs);
    metrics.merges.inc({ level: String(payload.level), outcome: result.outcome });
    return result;
  }

  async #candidates(nowMs: number): Promise<BlockEntry[]> {
    const { compaction } = this.#options.catalog;
    const blocks = new Map<string, BlockEntry>();
    const take = (entries: readonly BlockEntry[]): void => {
      for (const entry of entries) blocks.set(entry.id, entry);
    };
    take(await compaction.rising(levelEdges(nowMs), PLAN_BLOCKS));
    // Two blocks of half a merge fit into one; of larger ones there is nothing to gain.
    const small = { bytes: MERGE_INPUT_BYTES / 2, points: MERGE_INPUT_POINTS / 2 };
    for (const window of await compaction.crowded(LEVEL_WINDOWS, small, PLAN_WINDOWS)) {
      if (blocks.size >= PLAN_BLOCKS) break;
      take(await compaction.inWindow(window, MERGE_INPUT_BLOCKS));
    }
    return [...blocks.values()];
  }

  #add(
    job: Extract<CompactionJob, { kind: 'merge' }>,
    resolutionMs: number,
    nowMs: number,
  ): Promise<boolean> {
    const { level, startMs } = job.window;
    const payload: MergePayload = { level, startMs, resolutionMs };
    const what = resolutionMs === 0 ? `to level ${level}` : `to points of ${resolutionMs / 60_000} minutes`;
    return this.#options.catalog.jobs.add(
      {
        id: newBlockId(nowMs),
        kind: resolutionMs === 0 ? MERGE_JOB : ROLLUP_JOB,
        subject: `${job.inputs.length} blocks of ${new Date(startMs).toISOString()} ${what}`,
        payload: JSON.stringify(payload),
        priority: jobBytes(job),
      },
      job.inputs.map((entry) => entry.id),
      nowMs,
    );
  }

  async #merge(job: LeasedJob, payload: MergePayload, nowMs: number): Promise<MergeResult> {
    const { objects, objectsConfig, catalog, merges, shards, dropLabels, quarantine } = this.#options;
    const started = performance.now();
    const inputs = await catalog.compaction.ofJob(job.id);
    if (inputs.length === 0) return { outcome: 'inputs_gone', reason: 'no input is live any more' };
    const { resolutionMs } = payload;
    const rollUp = resolutionMs === 0 ? undefined : { resolutionMs, dropLabels: dropLabels ?? [] };
    const reply = await merges.run({
      objects: objectsConfig,
      inputs,
      nowMs,
      shards,
      rollUp,
      erase: undefined,
    });
    if (!reply.ok) {
      if (reply.code === 'cancelled') return { outcome: 'cancelled', reason: reply.message };
      const input = inputs.find((entry) => entry.id === reply.inputId);
      if (input === undefined || !isDamage(reply.code)) return { outcome: 'failed', reason: reply.message };
      await quarantine(input, reply.message, 'merge');
      return { outcome: 'input_quarantined', reason: reply.message };
    }
    const before = await this.#inputSums(inputs);
    if (before === undefined) {
      return { outcome: 'failed', reason: 'the footer of an input has gone bad since it was read' };
    }
    const difference = differenceOf(before, await sumDatasets(objects, reply.outputs));
    if (difference !== undefined)
      return { outcome: 'sums_differ', reason: `the sums differ (I5): ${difference}` };
    const swap = { inputs: inputs.map((entry) => entry.id), outputs: reply.outputs, lease: job };
    const outcome = await (rollUp === undefined ? catalog.swap(swap, nowMs) : catalog.rollUp(swap, nowMs));
    if (outcome !== 'swapped') return { outcome, reason: 'others were faster' };
    this.#count(payload, inputs, reply.outputs, (performance.now() - started) / 1000);
    return { outcome: 'done', reason: '' };
  }

  /** Undefined when an input's footer has gone bad since the thread read it. */
  async #inputSums(
    inputs: readonly BlockEntry[],
  ): Promise<Awaited<ReturnType<typeof sumDatasets>> | undefined> {
    try {
      return await sumDatasets(this.#options.objects, inputs);
    } catch (error) {
      if (error instanceof FleetflameError && isDamage(error.code)) return undefined;
      throw error;
    }
  }

  #count(
    { level, startMs }: MergePayload,
    inputs: readonly BlockEntry[],
    outputs: readonly BlockEntry[],
    seconds: number,
  ): void {
    const { metrics, log } = this.#options;
    const inputBytes = sumBytes(inputs);
    const outputBytes = sumBytes(outputs);
    metrics.mergeSeconds.observe({ level: String(level) }, seconds);
    metrics.mergedBlocks.inc({ level: String(level) }, inputs.length);
    metrics.mergedBytes.inc({ direction: 'in' }, inputBytes);
    metrics.mergedBytes.inc({ direction: 'out' }, outputBytes);
    log.debug(
      {
        level,
        window: new Date(startMs).toISOString(),
        inputs: inputs.length,
        outputs: outputs.length,
        inputBytes,
        outputBytes,
        seconds,
      },
      'merged',
    );
  }
}

function parsePayload(text: string): MergePayload {
  const payload: unknown = JSON.parse(text);
  if (typeof payload === 'object' && payload !== null && 'level' in payload && 'startMs' in payload) {
    const { level, startMs } = payload;
    const resolutionMs = 'resolutionMs' in payload ? payload.resolutionMs : 0;
    if (typeof level === 'number' && typeof startMs === 'number' && typeof resolutionMs === 'number') {
      return { level, startMs, resolutionMs };
    }
  }
  throw new FleetflameError('corrupt_data', `A merge's job says ${text}, which names no window.`);
}

function sumBytes(entries: readonly BlockEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
}
