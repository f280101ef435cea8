import { FleetflameError } from '../../errors.ts';

/** Protobuf wire types. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

const WIRE_NAMES = ['varint', 'fixed64', 'length-delimited', 'group', 'end of group', 'fixed32', '6', '7'];

/** Groups are obsolete; they are skipped where they are legal, to this depth. */
const GROUP_DEPTH = 32;

/**
 * Reads protobuf from untrusted bytes without an object per field. A message is read in a loop:
 *
 *   const outer = reader.enter();
 *   while (reader.more()) {
 *     switch (reader.tag()) { case 1: low = reader.varint(); break; default: reader.skip(); }
 *   }
 *   reader.leave(outer);
 *
 * Loops set the `table`, `row`, `field`, `entry` and `leaf` they are at (plain stores), so that a
 * failure can name the place: sample[3].label[1].key.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  /** Offset of the next byte. */
  pos = 0;
  /** One past the last byte of the message being read. */
  #limit: number;
  /** Wire type of the last tag. */
  #wire = 0;
  /** Upper half of the last varint; varint() returns the lower. */
  high = 0;

  table = '';
  row = -1;
  field = '';
  entry = -1;
  leaf = '';

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#limit = bytes.length;
  }

  /** All that is read. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** One past the last byte of the message being read. */
  get limit(): number {
    return this.#limit;
  }

  more(): boolean {
    return this.pos < this.#limit;
  }

  /**
   * Bytes left, where all of them are padding: zeros, or a line break that a tool for texts appended. No
   * field begins with a zero, and none has two bytes like these.
   */
  padding(): number {
    const first = this.#bytes[this.pos];
    const left = this.#limit - this.pos;
    if (first !== 0 && (left > 2 || (first !== 0x0a && first !== 0x0d))) return 0;
    for (let at = this.pos; at < this.#limit; at++) {
      const byte = this.#bytes[at];
      if (byte !== 0 && (left > 2 || (byte !== 0x0a && byte !== 0x0d))) return 0;
    }
    return left;
  }

  /** The field number of the next field. */
  tag(): number {
    const low = this.varint();
    const field = low >>> 3;
    this.#wire = low & 7;
    if (this.high !== 0) throw this.broken('a field number is larger than protobuf allows');
    if (field === 0) throw this.broken('there is a field with number 0, which protobuf does not have');
    return field;
  }

  /** Whether the field at hand has the wire type; for fields that may be packed. */
  is(wire: number): boolean {
    return this.#wire === wire;
  }

  expect(wire: number): void {
    if (this.#wire === wire) return;
    throw this.broken(`the field is encoded as ${WIRE_NAMES[this.#wire]} instead of ${WIRE_NAMES[wire]}`);
  }

  /** The lower 32 bits of a varint, unsigned; `high` has the upper ones. */
  varint(): number {
    const bytes = this.#bytes;
    const limit = this.#limit;
    let pos = this.pos;
    if (pos >= limit) throw this.truncated();
    let byte = bytes[pos++]!;
    let low = byte & 0x7f;
    let high = 0;
    if (byte >= 0x80) {
      let shift = 7;
      for (;;) {
        if (pos >= limit) throw this.truncated();
        byte = bytes[pos++]!;
        const bits = byte & 0x7f;
        // Bits 28 to 34 straddle the halves; the tenth byte holds bit 63 alone.
        if (shift < 28) low |= bits << shift;
        else if (shift === 28) {
          low |= bits << 28;
          high = bits >>> 4;
        } else if (shift < 63) high |= bits << (shift - 32);
        else if (byte > 1) throw this.broken('a varint has more than 64 bits');
        else high |= bits << 31;
        if (byte < 0x80) break;
        shift += 7;
      }
    }
    this.pos = pos;
    this.high = high >>> 0;
    return low >>> 0;
  }

  /** A varint field. */
  uint(): number {
    this.expect(WIRE.varint);
    return this.varint();
  }

  /** The last varint as the nearest number: exact up to 2^53. */
  number(low: number): number {
    return (this.high | 0) * 0x1_0000_0000 + low;
  }

  /** The last varint as a signed 64-bit integer. */
  int64(low: number): bigint {
    return (BigInt(this.high | 0) << 32n) | BigInt(low);
  }

  /** Goes into a length-delimited field; gives what leave() needs. */
  enter(): number {
    this.expect(WIRE.bytes);
    return this.enterLength();
  }

  /** Goes into a message whose tag was read before and whose length is next. */
  enterLength(): number {
    const length = this.varint();
    const outer = this.#limit;
    if (this.high !== 0 || length > outer - this.pos) {
      const left = outer - this.pos;
      throw this.broken(`it says it has ${this.high * 0x1_0000_0000 + length} bytes, but ${left} are left`);
    }
    this.#limit = this.pos + length;
    return outer;
  }

  leave(outer: number): void {
    this.pos = this.#limit;
    this.#limit = outer;
  }

  /** The bytes of the message that was entered, which leave() then skips. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.pos, this.#limit);
  }

  /** Back to a length that was passed before, at the top level. */
  seek(pos: number): void {
    this.pos = pos;
    this.#limit = this.#bytes.length;
  }

  /** Skips a field that is not known, as protobuf demands of readers. */
  skip(depth = 0): void {
    switch (this.#wire) {
      case WIRE.varint:
        this.varint();
        return;
      case WIRE.fixed64:
        this.#advance(8);
        return;
      case WIRE.fixed32:
        this.#advance(4);
        return;
      case WIRE.bytes:
        this.leave(this.enterLength());
        return;
      case WIRE.startGroup:
        if (depth >= GROUP_DEPTH) throw this.broken(`groups are nested more than ${GROUP_DEPTH} deep`);
        for (;;) {
          if (!this.more()) throw this.truncated();
          this.tag();
          if (this.is(WIRE.endGroup)) return;
          this.skip(depth + 1);
        }
      default:
        throw this.broken(
          `an unknown field has wire type ${WIRE_NAMES[this.#wire]}, which is not legal there`,
        );
    }
  }

  /** The place that is being read, such as sample[3].location_id[1]. */
  path(): string {
    let path = this.table;
    if (this.row >= 0) path += `[${this.row}]`;
    if (this.field !== '') path += `${path === '' ? '' : '.'}${this.field}`;
    if (this.entry >= 0) path += `[${this.entry}]`;
    return this.leaf === '' ? path : `${path}.${this.leaf}`;
  }

  /** An error that says what is wrong at the place that is being read. */
  broken(what: string): FleetflameError {
    const path = this.path();
    const where =
      path === '' ? 'The pprof profile is not valid' : `The pprof profile is not valid at ${path}`;
    return new FleetflameError('invalid_input', `${where}: ${what}.`, path === '' ? {} : { field: path });
  }

  tooMany(limit: string, what: string, most: number): FleetflameError {
    return pprofLimitError(limit, what, most, this.path());
  }

  truncated(): FleetflameError {
    return this.broken('it ends in the middle of a field: the file is cut off or not a pprof profile');
  }

  #advance(bytes: number): void {
    if (bytes > this.#limit - this.pos) throw this.truncated();
    this.pos += bytes;
  }
}

/** The refusal of a profile that exceeds the named one of PPROF_LIMITS. */
export function pprofLimitError(limit: string, what: string, most: number, field?: string): FleetflameError {
  return new FleetflameError(
    'limit_exceeded',
    `The pprof profile has more than ${most} ${what} (limit ${limit}): split it or send less of it.`,
    field === undefined ? {} : { field },
  );
}
