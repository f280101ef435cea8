import type { Dataset, Footer } from '@fleetflame/proto/block/v1/footer';

import { arrayOf, COLUMNS, TABLE_NAMES, type ColumnArrays, type TableName } from './arrow/columns.ts';
import { corrupt } from './arrow/corrupt.ts';
import { TableDecoder, type TableFile } from './arrow/decode-tables.ts';
import { MemoryBudget } from './arrow/memory-budget.ts';
import { decodeBatchMessage, type ArrowFooter } from './arrow/metadata.ts';
import { readBatch } from './arrow/read-batch.ts';
import { bufferSource, messageBytes, openTable } from './arrow/read-table.ts';
import type { Block, SampleTable } from './block.ts';
import { isReadWhole } from './container/batch-checksum.ts';
import { crc32c } from './container/crc32c.ts';
import { decodeFooter, footerBytes, footerNumber, isMagic } from './container/decode-footer.ts';
import { MAGIC, TRAILER_BYTES } from './container/layout.ts';
import { findDatasets } from './datasets.ts';
import { datasetKey } from './default-types.ts';
import { SampleCollector } from './decode-samples.ts';
import { BLOCK_LIMITS, type BlockLimits } from './limits.ts';
import { validateBlock } from './validate-block.ts';

export interface DecodeBlockOptions {
  /** Lower limits than BLOCK_LIMITS, for blocks from outside. */
  readonly limits?: Partial<BlockLimits>;
}

/**
 * The block in the bytes of an object; docs/format.md. Everything is checked: checksums, sizes before
 * they are allocated, every index, orders, sums. Throws corrupt_data, limit_exceeded or (for another
 * format version) unsupported, with the field.
 */
export function decodeBlock(bytes: Uint8Array, options: DecodeBlockOptions = {}): Block {
  const limits = { ...BLOCK_LIMITS, ...options.limits };
  if (!isMagic(bytes)) throw corrupt('magic', 'it does not begin like a block');
  const trailer = bytes.subarray(Math.max(0, bytes.length - TRAILER_BYTES));
  const footerStart = bytes.length - TRAILER_BYTES - footerBytes(trailer, bytes.length, limits);
  const footer = decodeFooter(bytes.subarray(footerStart), bytes.length, limits);
  checkPadding(bytes, footer);
  const budget = new MemoryBudget(limits.inflatedBytes);
  const file = (name: TableName): TableFile => {
    const { offset, size } = tablePlace(footer, name);
    return checkedTable(footer, name, bytes.subarray(offset, offset + size));
  };
  const samples = decodeSamples(file('samples').bytes, file('points').bytes, footer, budget);
  return assemble(footer, file, samples, footer.datasets, { points: true, limits, budget });
}

/** No checksum covers the bytes between tables: they are 0. */
function checkPadding(bytes: Uint8Array, footer: Footer): void {
  let end = MAGIC.length;
  for (const name of TABLE_NAMES) {
    const { offset, size } = tablePlace(footer, name);
    for (; end < offset; end++) if (bytes[end] !== 0) throw corrupt(name, 'the bytes before it are not 0');
    end = offset + size;
  }
}

/** Where a table lies in its object. */
export function tablePlace(footer: Footer, name: TableName): { offset: number; size: number; rows: number } {
  const entry = footer.tables[TABLE_NAMES.indexOf(name)];
  if (entry === undefined) throw corrupt('footer.tables', `${name} is missing`);
  return { offset: Number(entry.offset), size: Number(entry.sizeBytes), rows: Number(entry.rows) };
}

/** Compares a whole table with its checksum. */
export function checkedTable(footer: Footer, name: TableName, bytes: Uint8Array): TableFile {
  if (footer.tables[TABLE_NAMES.indexOf(name)]?.crc32c !== crc32c(bytes)) {
    throw corrupt(name, 'the checksum of the table is wrong');
  }
  return { bytes, rows: tablePlace(footer, name).rows };
}

/** All samples; `samples` and `points` are the two tables' files. */
export function decodeSamples(
  samples: Uint8Array,
  points: Uint8Array,
  footer: Footer,
  budget: MemoryBudget,
): SampleTable {
  const sampleBatches = decodeBatches('samples', samples, footer, budget);
  const pointBatches = decodeBatches('points', points, footer, budget);
  const collector = new SampleCollector(budget);
  for (const [i, batch] of sampleBatches.entries()) {
    checkRows(arrayOf(batch, 'series', Uint32Array).length, footer, i);
    collector.add(batch, pointBatches[i], `samples.batch[${i}]`);
  }
  return collector.collect();
}

/** A batch of samples has as many rows as the footer says of its dataset. */
export function checkRows(rows: number, footer: Footer, dataset: number): void {
  const expected = footer.datasets[dataset]?.sampleCount;
  if (rows !== expected) {
    throw corrupt(`samples.batch[${dataset}]`, `it has ${rows} rows where the footer says ${expected}`);
  }
}

function decodeBatches(
  table: BatchedTable,
  bytes: Uint8Array,
  footer: Footer,
  budget: MemoryBudget,
): ColumnArrays[] {
  const { batches, columns } = checkBatches(table, openTable(table, bytes, COLUMNS[table]), footer);
  return batches.map((place, i) => {
    const field = `${table}.batch[${i}]`;
    const message = decodeBatchMessage(field, messageBytes(bytes, place), place);
    const source = bufferSource(bytes, place, message);
    return readBatch(field, message, source, columns, budget, { raw: isReadWhole(place.bodyBytes) });
  });
}

/** Tables with one record batch per dataset. */
export type BatchedTable = 'samples' | 'points';

export function checkBatches(table: BatchedTable, arrow: ArrowFooter, footer: Footer): ArrowFooter {
  if (arrow.batches.length !== footer.datasets.length || arrow.dictionaries.length > 0) {
    throw corrupt(table, 'it does not have one batch per dataset');
  }
  return arrow;
}

/** Decodes the five other tables, puts the block together and checks all of it. */
export function assemble(
  footer: Footer,
  file: (name: TableName) => TableFile,
  samples: SampleTable,
  datasets: readonly Dataset[],
  options: { readonly points: boolean; readonly limits: BlockLimits; readonly budget: MemoryBudget },
): Block {
  const decoder = new TableDecoder(options.budget);
  const tables = {
    series: decoder.series(file('series')),
    stacks: decoder.stacks(file('stacks')),
    locations: decoder.locations(file('locations')),
    functions: decoder.functions(file('functions')),
    mappings: decoder.mappings(file('mappings')),
  };
  const block: Block = {
    timeStartMs: footerNumber(footer.timeStartMs, 'time_start_ms'),
    timeEndMs: footerNumber(footer.timeEndMs, 'time_end_ms'),
    strings: decoder.strings(),
    ...tables,
    samples,
    losses: new Map(
      footer.losses.map(({ cause, samples: count }) => [cause, footerNumber(count, `losses.${cause}`)]),
    ),
    ...defaultsOf(footer),
  };
  validateBlock(block, { points: options.points, limits: options.limits, code: 'corrupt_data' });
  checkDatasets(block, datasets, options.points);
  return block;
}

function defaultsOf({ datasets }: Footer): Pick<Block, 'defaultTypes'> {
  const said = datasets.filter(({ isDefault }) => isDefault);
  if (said.length === 0) return {};
  return {
    defaultTypes: new Set(said.map(({ profileType, serviceName }) => datasetKey(profileType, serviceName))),
  };
}

/** What the footer says of each dataset must be what its samples say. */
function checkDatasets(block: Block, expected: readonly Dataset[], points: boolean): void {
  // Of datasets that were not read the series are there, and with them their profiles.
  const wanted = new Set(expected.map(({ seriesStart }) => seriesStart));
  const found = findDatasets(block).filter(
    ({ sampleStart, sampleEnd, seriesStart }) => sampleEnd > sampleStart || wanted.has(seriesStart),
  );
  for (let i = 0; i < Math.max(found.length, expected.length); i++) {
    const a = found[i];
    const b = expected[i];
    if (
      a === undefined ||
      b === undefined ||
      a.profileType !== b.profileType ||
      a.serviceName !== b.serviceName ||
      a.seriesStart !== b.seriesStart ||
      a.seriesEnd - a.seriesStart !== b.seriesCount ||
      a.sampleEnd - a.sampleStart !== b.sampleCount ||
      BigInt(a.total) !== b.total ||
      (points && (BigInt(a.timeMinMs) !== b.timeMinMs || BigInt(a.timeMaxMs) !== b.timeMaxMs))
    ) {
      throw corrupt(`footer.datasets[${i}]`, 'it does not describe the samples');
    }
  }
}
