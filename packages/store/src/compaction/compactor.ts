/**
 * One round of compaction: look at the live blocks, plan, and do the jobs one after the other. Each
 * ends with a swap of rows in one transaction, or changes nothing (I5). A crash at any point leaves
 * either the inputs or the outputs live; objects of the other side are removed later.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import type { BlockEntry } from '../catalog/block-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { isDamage } from '../damage.ts';
import type { ObjectStore, ObjectStoreConfig } from '../objects/object-store.ts';
import type { StoreMetrics } from '../store-metrics.ts';
import { differenceOf, sumDatasets } from './dataset-sums.ts';
import type { MergeRunner } from './merge-task.ts';
import { planCompaction, type CompactionJob } from './plan.ts';

/** A merge that failed is not tried again at once: what failed once mostly fails again. */
const RETRY_MS = 60_000;
const MAX_RETRY_MS = 6 * 3_600_000;

export interface CompactorOptions {
  readonly objects: ObjectStore;
  readonly objectsConfig: ObjectStoreConfig;
  readonly catalog: Catalog;
  readonly merges: MergeRunner;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
  readonly quarantine: (entry: BlockEntry, reason: string, finder: 'merge') => Promise<void>;
}

type MergeJob = Extract<CompactionJob, { kind: 'merge' }>;
type Outcome = 'done' | 'input_quarantined' | 'inputs_gone' | 'sums_differ' | 'failed' | 'cancelled';

export class Compactor {
  readonly #options: CompactorOptions;
  /** Windows whose merge failed: how often, and when to try again. */
  readonly #failed = new Map<string, { failures: number; notBeforeMs: number }>();

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** Returns how many jobs were done. `stopped` is asked between jobs. */
  async round(nowMs: number, stopped: () => boolean): Promise<number> {
    const { catalog, metrics } = this.#options;
    const { blocks } = await catalog.view(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    let done = 0;
    for (const job of planCompaction(blocks, nowMs)) {
      if (stopped()) break;
      const level = String(job.window.level);
      if (job.kind === 'relevel') {
        await catalog.relevel(job.input.id, job.window.level);
        metrics.merges.inc({ level, outcome: 'relevelled' });
        done++;
        continue;
      }
      const name = `${job.window.level}/${job.window.startMs}`;
      if ((this.#failed.get(name)?.notBeforeMs ?? 0) > nowMs) continue;
      const outcome = await this.#merge(job, nowMs);
      metrics.merges.inc({ level, outcome });
      if (outcome === 'done') {
        this.#failed.delete(name);
        done++;
      } else if (outcome === 'failed' || outcome === 'sums_differ') this.#backOff(name, nowMs);
    }
    for (const [name, { notBeforeMs }] of this.#failed) {
      if (notBeforeMs + MAX_RETRY_MS < nowMs) this.#failed.delete(name);
    }
    return done;
  }

  async #merge(job: MergeJob, nowMs: number): Promise<Outcome> {
    const { objects, objectsConfig, catalog, merges, metrics, log, quarantine } = this.#options;
    const level = String(job.window.level);
    const what = { level: job.window.level, window: new Date(job.window.startMs).toISOString() };
    const started = performance.now();
    const reply = await merges.run({ objects: objectsConfig, inputs: job.inputs, nowMs });
    if (!reply.ok) {
      if (reply.code === 'cancelled') return 'cancelled';
      const input = job.inputs.find((entry) => entry.id === reply.inputId);
      if (input !== undefined && isDamage(reply.code)) {
        await quarantine(input, reply.message, 'merge');
        return 'input_quarantined';
      }
      log.error({ ...what, inputs: job.inputs.length, reason: reply.message }, 'a merge failed');
      return 'failed';
    }
    const before = await this.#inputSums(job.inputs);
    if (before === undefined) return 'input_quarantined';
    const difference = differenceOf(before, await sumDatasets(objects, reply.outputs));
    if (difference !== undefined) {
      log.error({ ...what, difference }, 'a merge was refused because its sums differ (I5)');
      return 'sums_differ';
    }
    const ids = job.inputs.map((entry) => entry.id);
    if (!(await catalog.swap(ids, reply.outputs, nowMs))) return 'inputs_gone';
    const seconds = (performance.now() - started) / 1000;
    const inputBytes = sumBytes(job.inputs);
    const outputBytes = sumBytes(reply.outputs);
    metrics.mergeSeconds.observe({ level }, seconds);
    metrics.mergedBlocks.inc({ level }, job.inputs.length);
    metrics.mergedBytes.inc({ direction: 'in' }, inputBytes);
    metrics.mergedBytes.inc({ direction: 'out' }, outputBytes);
    log.debug(
      { ...what, inputs: ids.length, outputs: reply.outputs.length, inputBytes, outputBytes, seconds },
      'merged',
    );
    return 'done';
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

  #backOff(name: string, nowMs: number): void {
    const failures = (this.#failed.get(name)?.failures ?? 0) + 1;
    const waitMs = Math.min(RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS);
    this.#failed.set(name, { failures, notBeforeMs: nowMs + waitMs });
  }
}

function sumBytes(entries: readonly BlockEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
}
