import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { FooterSchema, type Footer } from '@fleetflame/proto/block/v1/footer';

import { COLUMNS } from '../block/arrow/columns.ts';
import { openTable } from '../block/arrow/read-table.ts';
import { checkedBytes } from '../block/container/batch-checksum.ts';
import { crc32c } from '../block/container/crc32c.ts';
import { MAGIC, TRAILER_BYTES } from '../block/container/layout.ts';
import { tablePlace } from '../block/decode-block.ts';
import { FleetflameError } from '../errors.ts';

/**
 * The object with its footer edited and all checksums made right again: what an attacker would send,
 * and what a test needs to get past the checksums. The tables' bytes are taken as they are.
 */
export function resealBlock(bytes: Uint8Array, edit: (footer: Footer) => void = () => undefined): Uint8Array {
  const footerAt = footerOffset(bytes);
  const footer = footerOf(bytes);
  for (const table of footer.tables) {
    const offset = Number(table.offset);
    table.crc32c = crc32c(bytes.subarray(offset, offset + Number(table.sizeBytes)));
  }
  resealBatches(bytes, footer);
  edit(footer);
  const footerBytes = toBinary(FooterSchema, footer);
  const out = new Uint8Array(footerAt + footerBytes.length + TRAILER_BYTES);
  out.set(bytes.subarray(0, footerAt));
  out.set(footerBytes, footerAt);
  const trailer = new DataView(out.buffer, footerAt + footerBytes.length);
  trailer.setUint32(0, footerBytes.length, true);
  trailer.setUint32(4, crc32c(footerBytes), true);
  out.set(MAGIC, out.length - MAGIC.length);
  return out;
}

/** Checksums of the record batches of samples and points, as far as their places can be read. */
function resealBatches(bytes: Uint8Array, footer: Footer): void {
  for (const name of ['samples', 'points'] as const) {
    const { offset, size } = tablePlace(footer, name);
    resealTable(bytes.subarray(offset, offset + size), footer, name);
  }
}

function resealTable(table: Uint8Array, footer: Footer, name: 'samples' | 'points'): void {
  try {
    const { batches } = openTable(name, table, COLUMNS[name]);
    for (const [i, place] of batches.entries()) {
      const dataset = footer.datasets[i];
      if (dataset === undefined) continue;
      const checksum = crc32c(table.subarray(place.offset, place.offset + checkedBytes(place)));
      if (name === 'samples') dataset.batchCrc32c = checksum;
      else dataset.pointsCrc32c = checksum;
    }
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
  }
}

/** The footer, unchecked. */
export function footerOf(bytes: Uint8Array): Footer {
  return fromBinary(FooterSchema, bytes.subarray(footerOffset(bytes), bytes.length - TRAILER_BYTES));
}

/** Where the tables end and the footer begins. */
export function footerOffset(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length - TRAILER_BYTES - view.getUint32(bytes.length - TRAILER_BYTES, true);
}
