import { create, toBinary } from '@bufbuild/protobuf';
import { FooterSchema } from '@fleetflame/proto/block/v1/footer';

import { crc32c } from './container/crc32c.ts';
import { TRAILER_BYTES } from './container/layout.ts';

/**
 * The bytes of a block with the footer's field `origin`, which whoever keeps the block has to say and its writer need not
 * know. `bytes`: as `encodeBlock` gave them, without one. A field that comes after the others is the same message.
 */
export function withOrigin(bytes: Uint8Array, origin: Uint8Array): Uint8Array {
  const field = toBinary(FooterSchema, create(FooterSchema, { origin }));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const footerEnd = bytes.length - TRAILER_BYTES;
  const footerLength = view.getUint32(footerEnd, true);
  const out = new Uint8Array(bytes.length + field.length);
  out.set(bytes.subarray(0, footerEnd), 0);
  out.set(field, footerEnd);
  const footer = out.subarray(footerEnd - footerLength, footerEnd + field.length);
  const trailer = new DataView(out.buffer, footerEnd + field.length, TRAILER_BYTES);
  trailer.setUint32(0, footer.length, true);
  trailer.setUint32(4, crc32c(footer), true);
  out.set(bytes.subarray(footerEnd + 8), footerEnd + field.length + 8);
  return out;
}
