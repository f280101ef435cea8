import { decodeUtf8, escapeNonUtf8 } from '../lenient-utf8.ts';
import { brokenFile } from '../import-error.ts';

const TWO_32 = 0x1_0000_0000;

/** Kinds of strings in a recording. */
const STRING = { none: 0, empty: 1, pooled: 2, utf8: 3, chars: 4, latin1: 5 } as const;

/** A string that is kept in a pool, by its key. */
export interface PooledString {
  readonly key: number;
}

/** Reads the numbers and strings of a recording: big-endian, or compressed as LEB128 with nine bytes at most. */
export class JfrBytes {
  position = 0;
  /** One past what may be read. */
  limit: number;
  compressed = true;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.limit = bytes.length;
  }

  get left(): number {
    return this.limit - this.position;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  u64(): number {
    return this.u32() * TWO_32 + this.u32();
  }

  skip(bytes: number): void {
    this.#advance(bytes);
  }

  short(): number {
    return this.compressed ? this.#varint() : this.u16();
  }

  int(): number {
    return this.compressed ? this.#varint() | 0 : this.u32() | 0;
  }

  /** A count of things that have a byte each at least. */
  count(): number {
    const count = this.int();
    if (count < 0 || count > this.left)
      throw brokenFile('jfr', `it says ${count} where ${this.left} bytes are left`);
    return count;
  }

  /** Exact up to 2^53. */
  long(): number {
    return this.compressed ? this.#varint() : (this.u32() | 0) * TWO_32 + this.u32();
  }

  string(): string | PooledString {
    const kind = this.u8();
    switch (kind) {
      case STRING.none:
      case STRING.empty:
        return '';
      case STRING.pooled:
        return { key: this.long() };
      case STRING.utf8: {
        const bytes = this.#take(this.count());
        return decodeUtf8(bytes) ?? escapeNonUtf8(bytes);
      }
      case STRING.chars: {
        const codes = new Uint16Array(this.count());
        for (let i = 0; i < codes.length; i++) codes[i] = this.short();
        return new TextDecoder('utf-16le').decode(codes);
      }
      case STRING.latin1:
        return new TextDecoder('latin1').decode(this.#take(this.count()));
      default:
        throw brokenFile('jfr', `there is no string of kind ${kind}`, `byte ${this.position - 1}`);
    }
  }

  #varint(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 56; shift += 7) {
      const byte = this.u8();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return (high | 0) * TWO_32 + (low >>> 0);
    }
    // The ninth byte has eight bits.
    high |= this.u8() << 24;
    return (high | 0) * TWO_32 + (low >>> 0);
  }

  #take(bytes: number): Uint8Array {
    const at = this.#advance(bytes);
    return this.#bytes.subarray(at, at + bytes);
  }

  #advance(bytes: number): number {
    if (bytes > this.left)
      throw brokenFile('jfr', 'it ends in the middle of a record', `byte ${this.position}`);
    const at = this.position;
    this.position = at + bytes;
    return at;
  }
}
