/**
 * Reads parts of a block object: its footer; the tables that name things; of the samples only the
 * record batches of the chosen datasets, and of those, without `points`, only the totals.
 *
 *   1 tail        footer, and most often the Arrow footer of samples, which lies before it
 *   2 batches     messages of the chosen batches;     ┐ ranges that lie close together
 *                 of small batches, their bodies      │ are read as one
 *   3 buffers     of the wanted columns               ┘
 */
import type { Dataset, Footer } from '@fleetflame/proto/block/v1/footer';

import { TABLE_NAMES } from './arrow/columns.ts';
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
import { SAMPLES_COLUMN_LISTS, assemble, checkedTable, decodeSamples, tablePlace } from './decode-block.ts';
import { SampleCollector, TOTALS_COLUMNS, checkSampleBatch } from './decode-samples.ts';
import { BLOCK_LIMITS, type BlockLimits } from './limits.ts';
import type { RangeSource } from './range-source.ts';

/** The first read: holds the footers of a block of some 300 datasets, so that one request opens it. */
const TAIL_BYTES = 64 << 10;

export interface ReadBlockOptions {
  /** Which datasets' samples to read. Default all. Tables other than samples are read whole. */
  readonly datasets?: (dataset: Dataset) => boolean;
  /** False: leave times and values unread; samples have totals only, `pointStart` is all 0. Default true. */
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

/** All tables but samples, whole: they are neighbours, so this is one request. */
async function readTables(source: CachingSource, footer: Footer): Promise<TableFile[]> {
  const names = TABLE_NAMES.filter((name) => name !== 'samples');
  const ranges = names.map((name) => {
    const { offset, size } = tablePlace(footer, name);
    return { offset, length: size };
  });
  const bytes = await source.readAll(ranges);
  return names.map((name, i) => checkedTable(footer, name, bytes[i]!));
}

async function readAllSamples(
  source: CachingSource,
  footer: Footer,
  budget: MemoryBudget,
): Promise<SampleTable> {
  const { offset, size } = tablePlace(footer, 'samples');
  const { bytes } = checkedTable(footer, 'samples', await source.read(offset, size));
  return decodeSamples(bytes, footer, budget);
}

async function readSamples(
  source: CachingSource,
  footer: Footer,
  chosen: readonly boolean[],
  points: boolean,
  budget: MemoryBudget,
): Promise<SampleTable> {
  const table = tablePlace(footer, 'samples');
  const arrow = await openSamples(source, table.offset, table.size);
  if (arrow.batches.length !== footer.datasets.length) {
    throw corrupt('samples', 'it does not have one batch per dataset');
  }
  const wanted = (column: string): boolean => points || TOTALS_COLUMNS.has(column);
  const needed = buffersOf(arrow.columns, wanted);
  const indices = [...chosen.keys()].filter((i) => chosen[i]);
  const places = indices.map((i) => arrow.batches[i]!);
  const heads = await source.readAll(
    places.map((place) => ({ offset: table.offset + place.offset, length: checkedBytes(place) })),
  );
  const batches = indices.map((i, k) => {
    const field = `samples.batch[${i}]`;
    const dataset = footer.datasets[i]!;
    const place = places[k]!;
    const head = heads[k]!;
    verifyBatch(head, dataset.batchCrc32c, field);
    const message = decodeBatchMessage(field, head.subarray(0, place.metadataBytes), place);
    checkSampleBatch(message, dataset, field);
    return { field, message, place, head };
  });
  const buffers = await source.readAll(
    batches.flatMap(({ field, message, place }) =>
      isReadWhole(place.bodyBytes)
        ? []
        : rangesOf(field, message, needed, table.offset + place.offset, place),
    ),
  );
  const collector = new SampleCollector(budget);
  let next = 0;
  for (const { field, message, place, head } of batches) {
    const raw = isReadWhole(place.bodyBytes);
    const first = next;
    if (!raw) next += needed.length;
    const buffer = raw
      ? bufferSource(head, { ...place, offset: 0 }, message)
      : (index: number): Uint8Array => buffers[first + needed.indexOf(index)]!;
    collector.add(readBatch(field, message, buffer, arrow.columns, budget, { raw, wanted }), field);
  }
  return collector.collect();
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

async function openSamples(source: CachingSource, offset: number, size: number): Promise<ArrowFooter> {
  if (size < ARROW_TAIL_BYTES) throw corrupt('samples', 'it is too short for an Arrow file');
  const tailAt = size - ARROW_TAIL_BYTES;
  const tail = await source.read(offset + tailAt, ARROW_TAIL_BYTES);
  const footerAt = tailAt - arrowFooterBytes('samples', tail, size);
  const footer = await source.read(offset + footerAt, tailAt - footerAt);
  return decodeArrowFooter('samples', footer, footerAt, SAMPLES_COLUMN_LISTS);
}
