import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { FooterSchema, type Footer } from '@fleetflame/proto/block/v1/footer';

import { crc32c } from '../block/container/crc32c.ts';
import { MAGIC, TRAILER_BYTES } from '../block/container/layout.ts';

/**
 * The object with its footer edited and all checksums made right again: what an attacker would send,
 * and what a test needs to get past the checksums. The tables' bytes are taken as they are.
 */
export function resealBlock(bytes: Uint8Array, edit: (footer: Footer) => void = () => undefined): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const footerAt = bytes.length - TRAILER_BYTES - view.getUint32(bytes.length - TRAILER_BYTES, true);
  const footer = fromBinary(FooterSchema, bytes.subarray(footerAt, bytes.length - TRAILER_BYTES));
  for (const table of footer.tables) {
    const offset = Number(table.offset);
    table.crc32c = crc32c(bytes.subarray(offset, offset + Number(table.sizeBytes)));
  }
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

/** Where the tables end and the footer begins. */
export function footerOffset(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length - TRAILER_BYTES - view.getUint32(bytes.length - TRAILER_BYTES, true);
}
