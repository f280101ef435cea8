/**
 * Decodes, checks and keeps batches until they are sealed into a segment. Names, functions and stacks are
 * interned into tables that outlive the segments, so that what comes again and again is found, not made;
 * when they are full new ones are begun. A batch is the arrays of its rows and nothing else: one that is
 * refused or forgotten leaves nothing that would be written.
 */
import {
  decodeBlock,
  encodeBlock,
  FleetflameError,
  giveBackBlock,
  InternedTables,
  mergeRows,
  rowsOfBlock,
  seriesFingerprint,
  seriesOfRows,
  type BatchRows,
  type SeriesWithStrings,
} from '@fleetflame/profile';
import { AGENT_TIME, checkAge, checkLabels, checkShape, checkTime, type BatchRules } from '../check-batch.ts';
import { checkValues, coveredByBatch, valuesOfBlock, valuesOfRows } from '../check-values.ts';
import { batchContent, pushContent } from '../content-hash.ts';
import { decodePush } from '../profile-push.ts';
import type { BatchInput, PushSummary, SealedBatches, TakenBatch, WorkerSettings } from './messages.ts';
import { Refusals } from './refusals.ts';

interface Checked {
  readonly rows: BatchRows;
  readonly series: SeriesWithStrings;
  readonly content: string;
  readonly push: PushSummary | undefined;
}

export class BatchTaker {
  readonly #rules: BatchRules;
  readonly #heavy: boolean;
  readonly #batches = new Map<number, BatchRows>();
  #tables = new InternedTables();

  constructor({ limits, retentionMs, heavy }: WorkerSettings) {
    this.#rules = { limits, retentionMs, metrics: new Refusals() };
    this.#heavy = heavy;
  }

  /** Throws what is wrong with the batch, and keeps nothing of it then. */
  take(batch: number, input: BatchInput): TakenBatch {
    const started = performance.now();
    const { rows, series, content, push } = input.kind === 'agent' ? this.#agent(input) : this.#pprof(input);
    const nothing = rows.series.length === 0 && rows.profiles.length === 0 && push !== undefined;
    if (!nothing) this.#batches.set(batch, rows);
    const fingerprints = new Float64Array(series.series.length);
    for (let row = 0; row < fingerprints.length; row++) fingerprints[row] = seriesFingerprint(series, row);
    const full = this.#tables.memoryBytes > this.#rules.limits.dictionaryBytes;
    if (full) this.#tables = new InternedTables();
    return {
      content,
      rows: rows.series.length,
      nothing,
      memoryBytes: memoryBytes(rows),
      timeStartMs: rows.timeStartMs,
      fingerprints,
      seconds: (performance.now() - started) / 1000,
      full,
      push,
    };
  }

  /** The batches stay until they are forgotten: a segment may have to be written again without some. */
  seal(batches: readonly number[]): SealedBatches {
    const started = performance.now();
    const rows = batches.map((batch) => {
      const known = this.#batches.get(batch);
      if (known !== undefined) return known;
      throw new FleetflameError('unavailable', 'The thread that held the batch ended: send it again.');
    });
    const block = mergeRows(rows);
    const merged = performance.now();
    const bytes = encodeBlock(block);
    giveBackBlock(block);
    return {
      bytes,
      timeStartMs: block.timeStartMs,
      timeEndMs: block.timeEndMs,
      rows: block.samples.length,
      points: block.samples.time.length,
      mergeSeconds: (merged - started) / 1000,
      encodeSeconds: (performance.now() - merged) / 1000,
    };
  }

  forget(batches: readonly number[]): void {
    for (const batch of batches) this.#batches.delete(batch);
  }

  #agent({ bytes, nowMs, cpus }: Extract<BatchInput, { kind: 'agent' }>): Checked {
    const { metrics, limits } = this.#rules;
    let block;
    try {
      block = decodeBlock(bytes, { limits: { inflatedBytes: limits.batchInflatedBytes } });
    } catch (error) {
      if (!(error instanceof FleetflameError)) throw error;
      // Corrupt in storage would be our fault; corrupt in a request is the sender's.
      const code = error.code === 'corrupt_data' ? 'invalid_input' : error.code;
      const field = error.field === undefined ? 'block' : `block.${error.field}`;
      throw metrics.refuse('format', new FleetflameError(code, error.message, { field, cause: error }));
    }
    checkLabels(block, this.#rules);
    checkTime(block, nowMs, this.#rules, AGENT_TIME);
    checkAge(block, nowMs, this.#rules);
    checkValues(valuesOfBlock(block), coveredByBatch(block, cpus), this.#rules);
    checkShape(block, this.#rules);
    const rows = rowsOfBlock(this.#tables, block);
    return { rows, series: block, content: batchContent(bytes), push: undefined };
  }

  #pprof(input: Extract<BatchInput, { kind: 'pprof' }>): Checked {
    const { rows, totals, timeMs, changes, durationMs, format } = decodePush(
      input,
      this.#tables,
      this.#rules,
      this.#heavy,
    );
    const series = seriesOfRows(rows);
    checkLabels(series, this.#rules);
    checkValues(valuesOfRows(rows), { cpus: 0, durationMs }, this.#rules);
    const push = { totals: [...totals], timeMs, changes, format };
    return { rows, series, content: pushContent(input.bytes, input.labels, input.hashed), push };
  }
}

/** Rows with their series and stack, and points with time and value. */
function memoryBytes({ series, time }: BatchRows): number {
  return 1000 + series.length * 12 + time.length * 12;
}
