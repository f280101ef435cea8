import { Refusal } from './refusal.ts';

/** Flag and length, before the message of gRPC, gRPC-web and Connect streams: flags u8 · length u32 (big-endian) · message. */
const HEAD_BYTES = 5;
const COMPRESSED = 1;

export interface Envelope {
  readonly isCompressed: boolean;
  readonly message: Uint8Array;
}

/** The one message of a request. Throws Refusal for none, several, and what is cut short. */
export function openEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length < HEAD_BYTES) throw wrong('it is shorter than the head of a message');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint8(0);
  const length = view.getUint32(1);
  if ((flags & ~COMPRESSED) !== 0) throw wrong('its message has flags that are not used');
  if (length !== bytes.length - HEAD_BYTES) throw wrong('it does not hold exactly one message');
  return { isCompressed: (flags & COMPRESSED) !== 0, message: bytes.subarray(HEAD_BYTES) };
}

/** A message that is not compressed, with its head. */
export function wrapEnvelope(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, HEAD_BYTES);
  return bytes;
}

/** A message with its head, without a copy of it. */
export function joinEnvelope(
  message: Uint8Array,
  isCompressed: boolean,
): [head: Uint8Array, message: Uint8Array] {
  const head = new Uint8Array(HEAD_BYTES);
  head[0] = isCompressed ? COMPRESSED : 0;
  new DataView(head.buffer).setUint32(1, message.length);
  return [head, message];
}

/** What follows the message that a response begins with; undefined: it begins with none. */
export function splitEnvelope(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < HEAD_BYTES || (bytes[0]! & ~COMPRESSED) !== 0) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  return bytes.subarray(HEAD_BYTES + length);
}

function wrong(what: string): Refusal {
  return new Refusal('message', 400, `The body of the request cannot be taken: ${what}.`);
}
