import { fromBinary } from '@bufbuild/protobuf';
import { FooterSchema, type Footer } from '@fleetflame/proto/block/v1/footer';

import { FleetflameError } from '../../errors.ts';
import { TABLE_NAMES } from '../arrow/columns.ts';
import { corrupt } from '../arrow/corrupt.ts';
import type { BlockLimits } from '../limits.ts';
import { crc32c } from './crc32c.ts';
import { FORMAT_VERSION, MAGIC, OLDEST_FORMAT_VERSION, TRAILER_BYTES, alignTable } from './layout.ts';

/** A footer is at most as large as the object less this. */
export const OBJECT_OVERHEAD_BYTES = MAGIC.length + TRAILER_BYTES;

/** Length of the footer, from the last TRAILER_BYTES of an object. */
export function footerBytes(trailer: Uint8Array, objectBytes: number, limits: BlockLimits): number {
  const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.byteLength);
  if (objectBytes < OBJECT_OVERHEAD_BYTES || !isMagic(trailer.subarray(8))) {
    throw corrupt('magic', 'it does not end like a block; it may be cut off');
  }
  const length = view.getUint32(0, true);
  if (length > limits.footerBytes) {
    throw new FleetflameError(
      'limit_exceeded',
      `The block's footer of ${length} bytes is over the limit footerBytes of ${limits.footerBytes}.`,
      { field: 'footer' },
    );
  }
  if (length > objectBytes - OBJECT_OVERHEAD_BYTES) {
    throw corrupt('footer', `its length of ${length} bytes does not fit in the ${objectBytes} of the object`);
  }
  return length;
}

/** `tail`: footer and trailer. */
export function decodeFooter(tail: Uint8Array, objectBytes: number, limits: BlockLimits): Footer {
  const bytes = tail.subarray(0, tail.length - TRAILER_BYTES);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  if (view.getUint32(bytes.length + 4, true) !== crc32c(bytes)) {
    throw corrupt('footer', 'its checksum is wrong');
  }
  let footer: Footer;
  try {
    footer = fromBinary(FooterSchema, bytes);
  } catch (cause) {
    throw corrupt('footer', `it is not the message it should be (${String(cause)})`, cause);
  }
  checkFooter(footer, objectBytes - bytes.length - TRAILER_BYTES, limits);
  return footer;
}

export function isMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

/** Integers of the footer are 64 bits wide; the program's are 53. Throws where they do not fit. */
export function footerNumber(value: bigint, field: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw corrupt(`footer.${field}`, `${value} is absurd`);
  return number;
}

function checkFooter(footer: Footer, footerOffset: number, limits: BlockLimits): void {
  if (footer.formatVersion < OLDEST_FORMAT_VERSION || footer.formatVersion > FORMAT_VERSION) {
    throw new FleetflameError(
      'unsupported',
      `The block has format version ${footer.formatVersion}; this build reads versions ${OLDEST_FORMAT_VERSION} to ${FORMAT_VERSION}. ` +
        (footer.formatVersion > FORMAT_VERSION
          ? 'Read it with a newer build.'
          : 'Version 1 was never released: read it with the build that wrote it.'),
      { field: 'footer.format_version' },
    );
  }
  checkTables(footer, footerOffset, limits);
  if (footer.datasets.length > limits.datasets) {
    throw new FleetflameError(
      'limit_exceeded',
      `The block has ${footer.datasets.length} datasets, over the limit datasets of ${limits.datasets}.`,
      { field: 'footer.datasets' },
    );
  }
  checkDatasets(footer);
  const causes = new Set(footer.losses.map(({ cause }) => cause));
  if (causes.size !== footer.losses.length) throw corrupt('footer.losses', 'a cause is there twice');
}

/** The tables lie one after another, from the magic to the footer. */
function checkTables(footer: Footer, footerOffset: number, limits: BlockLimits): void {
  let end = MAGIC.length;
  for (const [i, name] of TABLE_NAMES.entries()) {
    const table = footer.tables[i];
    if (table?.name !== name) throw corrupt(`footer.tables[${i}]`, `it should be the table ${name}`);
    const rows = footerNumber(table.rows, `tables[${i}].rows`);
    const limit = name === 'points' ? 'points' : 'rows';
    if (rows > limits[limit]) {
      throw new FleetflameError(
        'limit_exceeded',
        `The table ${name} has ${rows} rows, over the limit ${limit} of ${limits[limit]}.`,
        { field: `footer.tables[${i}].rows` },
      );
    }
    if (footerNumber(table.offset, `tables[${i}].offset`) !== alignTable(end)) {
      throw corrupt(`footer.tables[${i}].offset`, 'it does not follow the table before it');
    }
    end = alignTable(end) + footerNumber(table.sizeBytes, `tables[${i}].size_bytes`);
  }
  if (footer.tables.length !== TABLE_NAMES.length) throw corrupt('footer.tables', 'there are unknown ones');
  if (end !== footerOffset) throw corrupt('footer.tables', 'they do not end where the footer begins');
}

/** Datasets cover the sample rows in order, without gaps. */
function checkDatasets({ datasets, tables, formatVersion }: Footer): void {
  // Since version 3 a dataset may have profiles in which there was nothing.
  const mayBeEmpty = formatVersion > OLDEST_FORMAT_VERSION;
  let sample = 0;
  for (const [i, dataset] of datasets.entries()) {
    if (dataset.sampleStart !== sample || (dataset.sampleCount === 0 && !mayBeEmpty)) {
      throw corrupt(`footer.datasets[${i}].sample_start`, 'it does not follow the dataset before it');
    }
    sample += dataset.sampleCount;
  }
  if (BigInt(sample) !== tables.find(({ name }) => name === 'samples')?.rows) {
    throw corrupt('footer.datasets', 'they do not cover the sample rows');
  }
}
