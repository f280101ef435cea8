/**
 * Reads parts of a block object: its footer; the tables that name things; of samples and points only
 * the record batches of the chosen datasets; without `points`, only the totals of samples.
 *
 *   1 tail        footer, and most often the Arrow footer of samples, which lies before it
 *   2 batches     messages of the chosen batches;     ┐ ranges that lie close together
 *                 of small batches, their bodies      │ are read as one
 *   3 buffers     of the wanted columns               ┘
 */
import type { Dataset, Footer } from '@fleetflame/proto/block/v1/footer';

import { arrayOf, COLUMNS, TABLE_NAMES, type ColumnArrays, type TableName } from './arrow/columns.ts';
import { corrupt } from './arrow/corrupt.ts';
import type { TableFile } from './arrow/decode-tables.ts';
import { MemoryBudget } from './arrow/memory-budget.ts';
import {
  ARROW_TAIL_BYTES,
  arrowFooterBytes,
  decodeArrowFooter,
  decodeBatchMessage,
  type ArrowFooter,
  type BatchMessage,
  type BatchPlace,
} from './arrow/metadata.ts';
import { buffersOf, readBatch } from './arrow/read-batch.ts';
import { bufferSource } from './arrow/read-table.ts';
import type { Block, SampleTable } from './block.ts';
import { checkedBytes, isReadWhole, verifyBatch } from './container/batch-checksum.ts';
import { CachingSource } from './container/caching-source.ts';
import { decodeFooter, footerBytes } from './container/decode-footer.ts';
import { TRAILER_BYTES } from './container/layout.ts';
import {
  assemble,
  checkBatches,
  checkedTable,
  checkRows,
  decodeSamples,
  tablePlace,
  type BatchedTable,
} from './decode-block.ts';
import { SampleCollector, TOTALS_COLUMNS } from './decode-samples.ts';
import { BLOCK_LIMITS, type BlockLimits } from './limits.ts';
import type { RangeSource } from './range-source.ts';

/** The first read: holds the footers of a block of some 300 datasets, so that one request opens it. */
const TAIL_BYTES = 64 << 10;

export interface ReadBlockOptions {
  /** Which datasets' samples to read. Default all. Tables other than samples and points are read whole. */
  readonly datasets?: (dataset: Dataset) => boolean;
  /** False: leave the table of points unread; samples have totals only, `pointStart` is all 0. Default true. */
  readonly points?: boolean;
  /** As `readFooter` gave it, when the caller kept it. */
  readonly footer?: Footer;
  readonly limits?: Partial<BlockLimits>;
}

export async function readFooter(source: RangeSource): Promise<Footer> {
  return openFooter(new CachingSource(source), BLOCK_LIMITS);
}

export async function readBlock(
  source: RangeSource,
  options: ReadBlockOptions = {},
): Promise<{ block: Block; bytesRead: number }> {
  const limits = { ...BLOCK_LIMITS, ...options.limits };
  const cached = new CachingSource(source);
  const footer = options.footer ?? (await openFooter(cached, limits));
  const points = options.points ?? true;
  const chosen = footer.datasets.map((dataset) => options.datasets?.(dataset) ?? true);
  const datasets = footer.datasets.filter((_, i) => chosen[i]);
  const budget = new MemoryBudget(limits.inflatedBytes);
  const whole = points && datasets.length === footer.datasets.length;
  const [files, samples] = await Promise.all([
    readTables(cached, footer),
    whole ? readAllSamples(cached, footer, budget) : readSamples(cached, footer, chosen, points, budget),
  ]);
  const file = (name: (typeof TABLE_NAMES)[number]): TableFile => files[TABLE_NAMES.indexOf(name)]!;
  const block = assemble(footer, file, samples, datasets, { points, limits, budget });
  return { block, bytesRead: cached.bytesRead };
}

async function openFooter(source: CachingSource, limits: BlockLimits): Promise<Footer> {
  const tail = await source.readTail(TAIL_BYTES);
  const trailer = tail.subarray(Math.max(0, tail.length - TRAILER_BYTES));
  const needed = footerBytes(trailer, source.size, limits) + TRAILER_BYTES;
  const bytes = needed <= tail.length ? tail.subarray(tail.length - needed) : await source.readTail(needed);
  return decodeFooter(bytes, source.size, limits);
}

/** All tables that name things, whole: they are neighbours, so this is one request. */
async function readTables(source: CachingSource, footer: Footer): Promise<TableFile[]> {
  const names = TABLE_NAMES.filter((name) => name !== 'samples' && name !== 'points');
  const bytes = await readWhole(source, footer, names);
  return names.map((name, i) => checkedTable(footer, name, bytes[i]!));
}

async function readWhole(
  source: CachingSource,
  footer: Footer,
  names: readonly TableName[],
): Promise<Uint8Array[]> {
  return source.readAll(
    names.map((name) => {
      const { offset, size } = tablePlace(footer, name);
      return { offset, length: size };
    }),
  );
}

async function readAllSamples(
  source: CachingSource,
  footer: Footer,
  budget: MemoryBudget,
): Promise<SampleTable> {
  const [points, samples] = await readWhole(source, footer, ['points', 'samples']);
  return decodeSamples(
    checkedTable(footer, 'samples', samples!).bytes,
    checkedTable(footer, 'points', points!).bytes,
    footer,
    budget,
  );
}

async function readSamples(
  source: CachingSource,
  footer: Footer,
  chosen: readonly boolean[],
  points: boolean,
  budget: MemoryBudget,
): Promise<SampleTable> {
  const indices = [...chosen.keys()].filter((i) => chosen[i]);
  const wanted = (column: string): boolean => points || TOTALS_COLUMNS.has(column);
  const [samples, more] = await Promise.all([
    readBatches(source, footer, 'samples', indices, wanted, budget),
    points ? readBatches(source, footer, 'points', indices, () => true, budget) : undefined,
  ]);
  const collector = new SampleCollector(budget);
  for (const [k, index] of indices.entries()) {
    checkRows(arrayOf(samples[k]!, 'series', Uint32Array).length, footer, index);
    collector.add(samples[k]!, more?.[k], `samples.batch[${index}]`);
  }
  return collector.collect();
}

/** The wanted columns of the datasets' batches, in the order of `indices`, ascending. */
async function readBatches(
  source: CachingSource,
  footer: Footer,
  name: BatchedTable,
  indices: readonly number[],
  wanted: (column: string) => boolean,
  budget: MemoryBudget,
): Promise<ColumnArrays[]> {
  const table = tablePlace(footer, name);
  const arrow = checkBatches(name, await openArrow(source, name, table.offset, table.size), footer);
  const needed = buffersOf(arrow.columns, wanted);
  const places = indices.map((i) => arrow.batches[i]!);
  const heads = await source.readAll(
    places.map((place) => ({ offset: table.offset + place.offset, length: checkedBytes(place) })),
  );
  const batches = indices.map((i, k) => {
    const field = `${name}.batch[${i}]`;
    const { batchCrc32c, pointsCrc32c } = footer.datasets[i]!;
    const place = places[k]!;
    const head = heads[k]!;
    verifyBatch(head, name === 'samples' ? batchCrc32c : pointsCrc32c, field);
    const message = decodeBatchMessage(field, head.subarray(0, place.metadataBytes), place);
    return { field, message, place, head };
  });
  const buffers = await source.readAll(
    batches.flatMap(({ field, message, place }) =>
      isReadWhole(place.bodyBytes)
        ? []
        : rangesOf(field, message, needed, table.offset + place.offset, place),
    ),
  );
  let next = 0;
  return batches.map(({ field, message, place, head }) => {
    const raw = isReadWhole(place.bodyBytes);
    const first = next;
    if (!raw) next += needed.length;
    const buffer = raw
      ? bufferSource(head, { ...place, offset: 0 }, message)
      : (index: number): Uint8Array => buffers[first + needed.indexOf(index)]!;
    return readBatch(field, message, buffer, arrow.columns, budget, { raw, wanted });
  });
}

/** Where the needed buffers of a batch lie in the object; `start`: where the batch does. */
function rangesOf(
  field: string,
  { buffers }: BatchMessage,
  needed: readonly number[],
  start: number,
  { metadataBytes }: BatchPlace,
): { offset: number; length: number }[] {
  return needed.map((number) => {
    const buffer = buffers[number];
    if (buffer === undefined) throw corrupt(field, 'it has too few buffers');
    return { offset: start + metadataBytes + buffer.offset, length: buffer.length };
  });
}

async function openArrow(
  source: CachingSource,
  table: BatchedTable,
  offset: number,
  size: number,
): Promise<ArrowFooter> {
  if (size < ARROW_TAIL_BYTES) throw corrupt(table, 'it is too short for an Arrow file');
  const tailAt = size - ARROW_TAIL_BYTES;
  const tail = await source.read(offset + tailAt, ARROW_TAIL_BYTES);
  const footerAt = tailAt - arrowFooterBytes(table, tail, size);
  const footer = await source.read(offset + footerAt, tailAt - footerAt);
  return decodeArrowFooter(table, footer, footerAt, COLUMNS[table]);
}
