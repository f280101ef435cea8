/**
 * Arrow's reader trusts the flatbuffers in front of each message: one flipped bit in the length of a
 * vector makes it allocate without end. This walks the same messages first and refuses what a flat,
 * uncompressed table cannot contain. Reads past the input throw a RangeError from DataView.
 *
 *   stream   message* end            end = ff ff ff ff 00 00 00 00
 *   message  ff ff ff ff | metadata size i32 | flatbuffer Message | body
 *
 * Field numbers are those of Message.fbs and Schema.fbs in the Arrow format.
 */

const CONTINUATION = 0xffffffff;
const HEADER_SCHEMA = 1;
const HEADER_DICTIONARY_BATCH = 2;
const HEADER_RECORD_BATCH = 3;
/** Fields, buffers and metadata entries that one message may have; the flame table needs 30. */
const MAX_ENTRIES = 64;

/** @throws RangeError when the stream ends early or a message is not that of a flat, plain table. */
export function checkArrowStream(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (;;) {
    if (view.getUint32(at, true) !== CONTINUATION) throw new RangeError(`no message at byte ${at}`);
    const metadataSize = view.getUint32(at + 4, true);
    at += 8;
    if (metadataSize === 0) return;
    if (metadataSize > bytes.length - at) throw new RangeError(`message at byte ${at} is cut`);
    const bodySize = checkMessage(new DataView(bytes.buffer, bytes.byteOffset + at, metadataSize));
    at += metadataSize;
    if (bodySize > bytes.length - at) throw new RangeError(`message body at byte ${at} is cut`);
    at += bodySize;
  }
}

/** Returns the size of the message's body. */
function checkMessage(view: DataView): number {
  const message = view.getUint32(0, true);
  const headerType = field(view, message, 1);
  const header = reference(view, field(view, message, 2));
  const bodyField = field(view, message, 3);
  checkVector(view, field(view, message, 4));
  const body = bodyField === 0 ? 0n : view.getBigInt64(bodyField, true);
  if (headerType === 0 || header === 0 || body < 0n || body > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new RangeError('message without header or body size');
  }
  switch (view.getUint8(headerType)) {
    case HEADER_SCHEMA:
      checkSchema(view, header);
      break;
    case HEADER_DICTIONARY_BATCH:
      checkBatch(view, reference(view, field(view, header, 1)), body);
      break;
    case HEADER_RECORD_BATCH:
      checkBatch(view, header, body);
      break;
    default:
      throw new RangeError('message of an unexpected type');
  }
  return Number(body);
}

function checkSchema(view: DataView, schema: number): void {
  const fields = checkVector(view, field(view, schema, 1));
  checkVector(view, field(view, schema, 2));
  checkVector(view, field(view, schema, 3));
  for (let i = 0; i < fields.length; i++) {
    const column = reference(view, fields.start + i * 4);
    if (checkVector(view, field(view, column, 5)).length > 0) throw new RangeError('nested column');
    checkVector(view, field(view, column, 6));
  }
}

function checkBatch(view: DataView, batch: number, bodySize: bigint): void {
  if (batch === 0) throw new RangeError('batch without data');
  checkVector(view, field(view, batch, 1));
  const buffers = checkVector(view, field(view, batch, 2));
  for (let i = 0; i < buffers.length; i++) {
    const offset = view.getBigInt64(buffers.start + i * 16, true);
    const length = view.getBigInt64(buffers.start + i * 16 + 8, true);
    if (offset < 0n || length < 0n || offset + length > bodySize)
      throw new RangeError('buffer outside the body');
  }
  if (field(view, batch, 3) !== 0) throw new RangeError('compressed batch');
  checkVector(view, field(view, batch, 4));
}

/** Position of a table's field, 0 when it is absent. */
function field(view: DataView, table: number, index: number): number {
  if (table === 0) throw new RangeError('missing table');
  const vtable = table - view.getInt32(table, true);
  const slot = 4 + index * 2;
  if (slot >= view.getUint16(vtable, true)) return 0;
  const offset = view.getUint16(vtable + slot, true);
  return offset === 0 ? 0 : table + offset;
}

/** What the offset at this position points to, 0 when there is none. */
function reference(view: DataView, position: number): number {
  return position === 0 ? 0 : position + view.getUint32(position, true);
}

function checkVector(view: DataView, position: number): { readonly start: number; readonly length: number } {
  if (position === 0) return { start: 0, length: 0 };
  const vector = reference(view, position);
  const length = view.getUint32(vector, true);
  if (length > MAX_ENTRIES) throw new RangeError(`vector of ${length} entries`);
  return { start: vector + 4, length };
}
