import { create, toBinary } from '@bufbuild/protobuf';
import { FooterSchema, type TableEntry } from '@fleetflame/proto/block/v1/footer';

import { FleetflameError } from '../errors.ts';
import type { TableName } from './arrow/columns.ts';
import { TABLE_NAMES } from './arrow/columns.ts';
import {
  encodeFunctions,
  encodeLocations,
  encodeMappings,
  encodeSamples,
  encodeSeries,
  encodeStacks,
  hasInstantsOnly,
} from './arrow/encode-tables.ts';
import type { WrittenTable } from './arrow/write-table.ts';
import { MAPPING_KINDS, type Block } from './block.ts';
import { checkedBytes } from './container/batch-checksum.ts';
import { crc32c } from './container/crc32c.ts';
import {
  FORMAT_VERSION,
  MAGIC,
  OLDEST_FORMAT_VERSION,
  TRAILER_BYTES,
  alignTable,
} from './container/layout.ts';
import { findDatasets, type DatasetRange } from './datasets.ts';
import { giveBack } from './give-back.ts';
import { BLOCK_LIMITS } from './limits.ts';
import { orderLocations } from './tables/order-locations.ts';
import { validateBlock } from './validate-block.ts';

export interface EncodeBlockOptions {
  /**
   * Buffers of fewer bytes are stored as they are, not as zstd frames. Default 2048, for blocks that live
   * for minutes: a call of zstd costs some 25 microseconds, and undoing it 15, for a kilobyte saved
   * (bench/merge has the measurement). A block that is kept for long wants less.
   */
  readonly rawBelowBytes?: number;
}

const RAW_BELOW_BYTES = 2048;

/** A block as the bytes of one object; docs/format.md. Throws invalid_input for a block that is not valid. */
export function encodeBlock(block: Block, options: EncodeBlockOptions = {}): Uint8Array {
  validateBlock(block);
  return encodeUnchecked(block, options);
}

/** For tests of the reader, which need bytes that the writer would refuse. */
export function encodeUnchecked(
  block: Block,
  { rawBelowBytes = RAW_BELOW_BYTES }: EncodeBlockOptions = {},
): Uint8Array {
  const datasets = findDatasets(block);
  if (datasets.length > BLOCK_LIMITS.datasets) {
    throw new FleetflameError(
      'limit_exceeded',
      `The block has ${datasets.length} datasets (profile type and service), over the limit of ${BLOCK_LIMITS.datasets}: split it.`,
      { field: 'datasets' },
    );
  }
  const overflow = datasets.find(({ total }) => Math.abs(total) >= 2 ** 63);
  if (overflow !== undefined) {
    throw new FleetflameError(
      'limit_exceeded',
      `The samples of ${overflow.profileType} of service "${overflow.serviceName}" sum to ${overflow.total}, more than 64 bits hold: split the block.`,
      { field: 'datasets.total' },
    );
  }
  const { samples, points } = encodeSamples(block, datasets, rawBelowBytes);
  const order = orderLocations(block.locations, block.mappings.length);
  const tables: Record<TableName, readonly [bytes: Uint8Array, rows: number]> = {
    series: [encodeSeries(block, rawBelowBytes).bytes, block.series.length],
    stacks: [encodeStacks(block, order, rawBelowBytes).bytes, block.stacks.length],
    locations: [encodeLocations(block, order, rawBelowBytes).bytes, block.locations.length],
    functions: [encodeFunctions(block, rawBelowBytes).bytes, block.functions.length],
    mappings: [encodeMappings(block, rawBelowBytes).bytes, block.mappings.length],
    points: [points.bytes, block.samples.time.length],
    samples: [samples.bytes, block.samples.length],
  };
  const entries: Omit<TableEntry, '$typeName'>[] = [];
  let offset = MAGIC.length;
  for (const name of TABLE_NAMES) {
    const [bytes, rows] = tables[name];
    offset = alignTable(offset);
    entries.push({
      name,
      offset: BigInt(offset),
      sizeBytes: BigInt(bytes.length),
      crc32c: crc32c(bytes),
      rows: BigInt(rows),
    });
    offset += bytes.length;
  }
  const checksums = [samples, points].map(batchChecksums);
  const footer = encodeFooter(block, datasets, checksums, entries);
  const out = new Uint8Array(offset + footer.length + TRAILER_BYTES);
  out.set(MAGIC, 0);
  for (const [i, name] of TABLE_NAMES.entries()) {
    const [bytes] = tables[name];
    out.set(bytes, Number(entries[i]?.offset));
    giveBack(bytes);
  }
  out.set(footer, offset);
  const view = new DataView(out.buffer);
  view.setUint32(offset + footer.length, footer.length, true);
  view.setUint32(offset + footer.length + 4, crc32c(footer), true);
  out.set(MAGIC, offset + footer.length + 8);
  return out;
}

function batchChecksums({ bytes, batches }: WrittenTable): number[] {
  return batches.map((place) => crc32c(bytes.subarray(place.offset, place.offset + checkedBytes(place))));
}

const NATIVE_OFFSET = MAPPING_KINDS.indexOf('native_offset');

/** Columns of lines, kinds, profiles and offsets in files are what version 3 has and version 2 has not. */
function versionOf({ locations, series, mappings }: Block): number {
  const isNew =
    locations.lineColumn.some((column) => column !== 0) ||
    !hasInstantsOnly(series) ||
    mappings.kind.includes(NATIVE_OFFSET);
  return isNew ? FORMAT_VERSION : OLDEST_FORMAT_VERSION;
}

function encodeFooter(
  block: Block,
  datasets: readonly DatasetRange[],
  [sampleChecksums = [], pointChecksums = []]: readonly (readonly number[])[],
  tables: readonly Omit<TableEntry, '$typeName'>[],
): Uint8Array {
  const losses = [...block.losses].sort(([a], [b]) => (a < b ? -1 : 1));
  return toBinary(
    FooterSchema,
    create(FooterSchema, {
      formatVersion: versionOf(block),
      timeStartMs: BigInt(block.timeStartMs),
      timeEndMs: BigInt(block.timeEndMs),
      tables: [...tables],
      datasets: datasets.map((dataset, i) => ({
        profileType: dataset.profileType,
        serviceName: dataset.serviceName,
        seriesStart: dataset.seriesStart,
        seriesCount: dataset.seriesEnd - dataset.seriesStart,
        sampleStart: dataset.sampleStart,
        sampleCount: dataset.sampleEnd - dataset.sampleStart,
        timeMinMs: BigInt(dataset.timeMinMs),
        timeMaxMs: BigInt(dataset.timeMaxMs),
        total: BigInt(dataset.total),
        batchCrc32c: sampleChecksums[i]!,
        pointsCrc32c: pointChecksums[i]!,
        kinds: dataset.kinds,
        reachMs: dataset.reachMs,
        isDefault: dataset.isDefault,
      })),
      losses: losses.map(([cause, samples]) => ({ cause, samples: BigInt(samples) })),
    }),
  );
}
