/**
 * Removes what has a certain label from every block there is: a job that goes through the live blocks by
 * id and replaces those that hold some of it. Merges of the same blocks at the same time do no harm: of
 * two swaps of a block one is refused, and what a merge wrote has a later id than what it read. Doing it
 * again, from the beginning or after a crash, finds what is left.
 */
import { setImmediate } from 'node:timers/promises';
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { newBlockId } from '../block-id.ts';
import type { BlockEntry } from '../catalog/block-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { LeasedJob } from '../catalog/job-queue.ts';
import { differenceOf, sumDatasets } from '../compaction/dataset-sums.ts';
import type { LabelValue } from '../compaction/erase-label.ts';
import type { MergeReply, MergeRunner } from '../compaction/merge-task.ts';
import { isDamage } from '../damage.ts';
import type { ObjectStore, ObjectStoreConfig } from '../objects/object-store.ts';
import type { StoreMetrics } from '../store-metrics.ts';
import { markErased, unmarkErased } from './erased-mark.ts';
import type { WorkEnd } from './maintenance-loop.ts';

export const ERASE_JOB = 'erase';

/** What may be asked to be erased (I8); what a limit turns away is counted in fleetflame_store_erase_refused_total{limit}. */
export interface EraseLimits {
  /** Open jobs: each is a pass over the whole store, and they are done one after another. */
  readonly openErasures: number;
  /** UTF-16 units of a label's name and value: longer ones are not taken in either. */
  readonly eraseNameLength: number;
  readonly eraseValueLength: number;
}

/** Such as stand in a text for people as they are. */
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;

export const ERASE_LIMITS: EraseLimits = { openErasures: 16, eraseNameLength: 256, eraseValueLength: 2048 };

/** Rows of the catalog that are looked at together. */
const PAGE_ROWS = 100;
/** Before merges, which it could only be behind of for ever. */
const PRIORITY = 0;

export interface EraserOptions {
  readonly objects: ObjectStore;
  readonly objectsConfig: ObjectStoreConfig;
  readonly catalog: Catalog;
  readonly merges: MergeRunner;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
  readonly quarantine: (entry: BlockEntry, reason: string, finder: 'merge') => Promise<void>;
  /** Default: ERASE_LIMITS. */
  readonly limits?: Partial<EraseLimits>;
}

interface Progress {
  looked: number;
  rewritten: number;
  rows: number;
  /** Rollups that have summed over the label. */
  summed: number;
  unreadable: number;
}

export class Eraser {
  readonly #options: EraserOptions;
  readonly #limits: EraseLimits;
  /** Requests one after another, so that each sees the jobs of those before. */
  #asking: Promise<unknown> = Promise.resolve();

  constructor(options: EraserOptions) {
    this.#options = options;
    this.#limits = { ...ERASE_LIMITS, ...options.limits };
  }

  /**
   * Returns the id of the job: of one that is open for the same label, where there is one. Throws invalid_input for a
   * label that would be none, limit_exceeded for one that is too long, overloaded when so many are open already.
   */
  async request(label: LabelValue, nowMs: number): Promise<string> {
    this.#check(label);
    const asked = this.#asking.then(async () => {
      // Of hundreds that are refused one after the other, none keeps others from their turn.
      await setImmediate();
      return await this.#add(label, nowMs);
    });
    this.#asking = asked.catch(() => undefined);
    return await asked;
  }

  async #add(label: LabelValue, nowMs: number): Promise<string> {
    const { catalog, log } = this.#options;
    const subject = `all with ${PLAIN_NAME.test(label.name) ? label.name : JSON.stringify(label.name)}=${JSON.stringify(label.value)}`;
    const { openErasures } = this.#limits;
    // Open ones are listed first; one more shows that there are too many.
    const listed = await catalog.jobs.list(openErasures + 1, ERASE_JOB);
    const open = listed.filter((job) => job.state !== 'ended');
    const same = open.find((job) => job.subject === subject && job.state === 'waiting');
    if (same !== undefined) return same.id;
    if (open.length >= openErasures) {
      throw this.#refuse(
        'openErasures',
        new FleetflameError(
          'overloaded',
          `${openErasures} labels wait to be erased already, which is the limit: ask again when some are done (jobs list).`,
        ),
      );
    }
    const id = newBlockId(nowMs);
    const job = { id, kind: ERASE_JOB, subject, payload: JSON.stringify(label), priority: PRIORITY };
    await catalog.jobs.add(job, [], nowMs);
    log.info({ job: id, ...label }, 'data is to be erased');
    return id;
  }

  #check({ name, value }: LabelValue): void {
    if (name === '' || value === '') {
      throw new FleetflameError(
        'invalid_input',
        'What is to be erased needs the name of a label and its value.',
        { field: name === '' ? 'label_name' : 'label_value' },
      );
    }
    const { eraseNameLength, eraseValueLength } = this.#limits;
    const tooLong = (limit: keyof EraseLimits, field: string, length: number): FleetflameError =>
      this.#refuse(
        limit,
        new FleetflameError(
          'limit_exceeded',
          `${field} has ${length} characters, at most ${this.#limits[limit]} are taken: no label has more.`,
          { field },
        ),
      );
    if (name.length > eraseNameLength) throw tooLong('eraseNameLength', 'label_name', name.length);
    if (value.length > eraseValueLength) throw tooLong('eraseValueLength', 'label_value', value.length);
  }

  #refuse(limit: keyof EraseLimits, error: FleetflameError): FleetflameError {
    this.#options.metrics.eraseRefused.inc({ limit });
    return error;
  }

  async run(job: LeasedJob, nowMs: number, stopped: () => boolean): Promise<WorkEnd> {
    const { catalog, log } = this.#options;
    const label = parseLabel(job.payload);
    const progress: Progress = { looked: 0, rewritten: 0, rows: 0, summed: 0, unreadable: 0 };
    let page: BlockEntry[] = [];
    do {
      page = await catalog.liveAfter(page.at(-1)?.id ?? '', PAGE_ROWS);
      for (const entry of page) {
        if (stopped()) return { kind: 'release' };
        const cancelled = await this.#erase(entry, label, progress, nowMs);
        if (cancelled) return { kind: 'release' };
      }
    } while (page.length > 0);
    log.info({ job: job.id, ...label, ...progress }, 'data was erased');
    return { kind: 'outcome', outcome: describe(progress) };
  }

  /** True: the merge thread is closing. */
  async #erase(entry: BlockEntry, label: LabelValue, progress: Progress, nowMs: number): Promise<boolean> {
    const { objects, objectsConfig, catalog, merges, metrics, quarantine } = this.#options;
    progress.looked++;
    if (entry.droppedLabels.includes(label.name)) {
      progress.summed++;
      return false;
    }
    const shared = { objects: objectsConfig, inputs: [entry], nowMs, shards: entry.shards };
    const reply = await merges.run({ ...shared, rollUp: undefined, erase: label });
    if (!reply.ok) {
      if (reply.code === 'cancelled') return true;
      if (!isDamage(reply.code)) throw new FleetflameError('unavailable', reply.message);
      // It may only have been replaced and removed meanwhile; then this changes nothing.
      await quarantine(entry, reply.message, 'merge');
      progress.unreadable++;
      return false;
    }
    if (reply.erased === undefined) return false;
    await this.#checkSums(entry, reply, reply.erased.sums);
    const leavesNothing = reply.outputs.length === 0;
    if (leavesNothing) await markErased(objects, entry.id);
    const outcome = await catalog.swap({ inputs: [entry.id], outputs: reply.outputs }, nowMs);
    if (outcome !== 'swapped') {
      // Others replaced it meanwhile: what they wrote comes later.
      if (leavesNothing) await unmarkErased(objects, entry.id);
      return false;
    }
    progress.rewritten++;
    progress.rows += reply.erased.rows;
    metrics.erasedRows.inc(reply.erased.rows);
    return false;
  }

  /** I5: what was there is what is left and what went. */
  async #checkSums(
    entry: BlockEntry,
    reply: Extract<MergeReply, { ok: true }>,
    removed: ReadonlyMap<string, bigint>,
  ): Promise<void> {
    const { objects } = this.#options;
    const before = await sumDatasets(objects, [entry]);
    const after = new Map(await sumDatasets(objects, reply.outputs));
    for (const [name, sum] of removed) after.set(name, (after.get(name) ?? 0n) + sum);
    const difference = differenceOf(before, after);
    if (difference !== undefined) {
      throw new FleetflameError(
        'corrupt_data',
        `Erasing from block ${entry.id} was refused: the sums differ (I5): ${difference}`,
      );
    }
  }
}

function describe({ looked, rewritten, rows, summed, unreadable }: Progress): string {
  const parts = [`erased ${rows} rows of ${rewritten} blocks, of ${looked} there were`];
  if (summed > 0)
    parts.push(`${summed} rollups have no such label: what they summed over it is in them still`);
  if (unreadable > 0) parts.push(`${unreadable} blocks could not be read and are set aside`);
  return parts.join('; ');
}

function parseLabel(payload: string): LabelValue {
  const label: unknown = JSON.parse(payload);
  if (typeof label === 'object' && label !== null && 'name' in label && 'value' in label) {
    const { name, value } = label;
    if (typeof name === 'string' && typeof value === 'string') return { name, value };
  }
  throw new FleetflameError('corrupt_data', `A job to erase says ${payload}, which names no label.`);
}
