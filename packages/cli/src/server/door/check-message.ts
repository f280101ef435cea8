/**
 * Looks a message over before anything is built from it: how many fields it has, and that it is what its type says.
 * A message that passes costs about as much to read as it is long; one that does not has cost this one pass, and is its
 * sender's fault.
 */
import { isUtf8 } from 'node:buffer';
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { Refusal } from './refusal.ts';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;
/** Bits of a number in one go; a tag or a length has 32 at most. */
const MAX_VARINT_BYTES = 10;

/** @throws Refusal that says what is wrong, and where */
export function checkBinary(bytes: Uint8Array, type: DescMessage, maxFields: number): void {
  const count = { left: maxFields };
  checkFields(bytes, 0, bytes.length, type, count, maxFields);
}

function checkFields(
  bytes: Uint8Array,
  from: number,
  to: number,
  type: DescMessage,
  count: { left: number },
  maxFields: number,
): void {
  const fields = fieldsOf(type);
  let at = from;
  const varint = (): number => {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      if (at >= to) throw wrong(type, 'it ends in the middle of a number');
      const byte = bytes[at++] ?? 0;
      // Precise as far as tags and lengths go; of values only the end is of interest.
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw wrong(type, 'a number has more than ten bytes');
  };
  while (at < to) {
    if (count.left-- <= 0) throw tooMany(maxFields);
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number === 0 || number > 0x1fff_ffff) throw wrong(type, `${number} is no number of a field`);
    const field = fields.get(number);
    switch (wire) {
      case VARINT:
        varint();
        break;
      case FIXED64:
        at += 8;
        break;
      case FIXED32:
        at += 4;
        break;
      case LENGTH: {
        const length = varint();
        const end = at + length;
        if (end > to) throw wrong(type, `${field?.name ?? number} is longer than the message`);
        checkContent(bytes, at, end, field, count, maxFields);
        at = end;
        break;
      }
      default:
        // Groups, which no message of ours has, may be nested as deep as one likes.
        throw wrong(type, `${field?.name ?? number} is encoded as a group, which is not used`);
    }
    if (at > to) throw wrong(type, `${field?.name ?? number} is longer than the message`);
  }
}

function checkContent(
  bytes: Uint8Array,
  from: number,
  to: number,
  field: DescField | undefined,
  count: { left: number },
  maxFields: number,
): void {
  if (field === undefined) return;
  if (field.fieldKind === 'message' || (field.fieldKind === 'list' && field.listKind === 'message')) {
    checkFields(bytes, from, to, field.message, count, maxFields);
    return;
  }
  if (field.fieldKind === 'map') {
    checkMapEntry(bytes, from, to, field, count);
    return;
  }
  const scalar =
    field.fieldKind === 'scalar' || (field.fieldKind === 'list' && field.listKind === 'scalar')
      ? field.scalar
      : undefined;
  if (scalar === ScalarType.STRING) {
    if (!isUtf8(bytes.subarray(from, to))) throw invalid(`${field.name} is not UTF-8`, field.name);
    return;
  }
  // Numbers in a row: each counts.
  if (scalar !== ScalarType.BYTES) count.left -= to - from;
  if (count.left < 0) throw tooMany(maxFields);
}

/** An entry has a key and a value, both strings in all messages of ours. */
function checkMapEntry(
  bytes: Uint8Array,
  from: number,
  to: number,
  field: DescField & { fieldKind: 'map' },
  count: { left: number },
): void {
  count.left--;
  if (!isUtf8(bytes.subarray(from, to)) && field.mapKind === 'scalar' && field.scalar === ScalarType.STRING) {
    throw invalid(`${field.name} is not UTF-8`, field.name);
  }
}

const FIELDS = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(type: DescMessage): ReadonlyMap<number, DescField> {
  const known = FIELDS.get(type);
  if (known !== undefined) return known;
  const fields = new Map(type.fields.map((field) => [field.number, field]));
  FIELDS.set(type, fields);
  return fields;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Bytes between strings: numbers, commas and brackets; a message of ours is mostly strings. */
const MAX_PLAIN_BYTES = 64 << 10;
const MAX_DEPTH = 32;

/** The same for JSON: bytes of long strings are passed over, everything else is counted. */
export function checkJson(bytes: Buffer, maxFields: number): void {
  let commas = 0;
  let depth = 0;
  let plain = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      at = endOfString(bytes, at + 1);
      continue;
    }
    if (++plain > MAX_PLAIN_BYTES)
      throw new Refusal('messageFields', 400, 'The JSON of the request has too much outside of strings.');
    if (byte === 0x2c && ++commas >= maxFields) throw tooMany(maxFields);
    if (byte === 0x5b || byte === 0x7b) depth++;
    else if (byte === 0x5d || byte === 0x7d) depth--;
    if (depth > MAX_DEPTH)
      throw new Refusal('messageFields', 400, `The JSON of the request is nested deeper than ${MAX_DEPTH}.`);
  }
}

/** Where the closing quote is; the end where there is none, which the parser will say. */
function endOfString(bytes: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0) return bytes.length;
    let slashes = 0;
    while (quote - 1 - slashes >= from && bytes[quote - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}

function tooMany(maxFields: number): Refusal {
  return new Refusal(
    'messageFields',
    400,
    `The request has more than ${maxFields} fields or values: send less at once.`,
  );
}

function wrong(type: DescMessage, what: string): Refusal {
  return invalid(`The request is not a ${type.name}: ${what}.`, undefined);
}

function invalid(sentence: string, field: string | undefined): Refusal {
  return new Refusal('message', 400, sentence, field === undefined ? {} : { 'fleetflame-field': field });
}
