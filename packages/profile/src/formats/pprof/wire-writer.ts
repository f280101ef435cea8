import { WIRE } from './wire-reader.ts';

const utf8 = new TextEncoder();

/** Writes protobuf: the mirror of WireReader. Fields that are 0 are left out, as in proto3. */
export class WireWriter {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  /** What was written. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A uint64 from its halves, or an int64 in two's complement. */
  varint(low: number, high = 0): void {
    this.#reserve(10);
    const bytes = this.#bytes;
    let at = this.#length;
    while (high !== 0) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    while (low >= 0x80) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    bytes[at++] = low;
    this.#length = at;
  }

  tag(field: number, wire: number): void {
    this.varint(((field << 3) | wire) >>> 0);
  }

  /** A varint field of at most 32 bits. */
  uint(field: number, low: number, high = 0): void {
    if (low === 0 && high === 0) return;
    this.tag(field, WIRE.varint);
    this.varint(low, high);
  }

  /** An int64 field from an integer; beyond 2^53 it has the precision that float64 has. */
  int(field: number, value: number): void {
    if (value === 0) return;
    this.tag(field, WIRE.varint);
    this.varint(value >>> 0, Math.floor(value / 0x1_0000_0000) >>> 0);
  }

  bigint(field: number, value: bigint): void {
    if (value === 0n) return;
    this.tag(field, WIRE.varint);
    this.varint(Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
  }

  string(field: number, text: string): void {
    this.tag(field, WIRE.bytes);
    // Room for the longest encoding, then its real length.
    const room = text.length * 3;
    this.#reserve(room + 5);
    const start = this.#length + lengthBytes(room);
    const { written } = utf8.encodeInto(text, this.#bytes.subarray(start, start + room));
    this.varint(written);
    this.#bytes.copyWithin(this.#length, start, start + written);
    this.#length += written;
  }

  /** Begins a message field, or a packed list; end() needs what this gives. */
  begin(field: number): number {
    this.tag(field, WIRE.bytes);
    this.#reserve(1);
    // One byte for the length: right for most messages, the others are moved.
    return ++this.#length;
  }

  end(start: number): void {
    const size = this.#length - start;
    if (size >= 0x80) {
      const shift = lengthBytes(size) - 1;
      this.#reserve(shift);
      this.#bytes.copyWithin(start + shift, start, this.#length);
    }
    this.#length = start - 1;
    this.varint(size);
    this.#length += size;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function lengthBytes(length: number): number {
  let bytes = 1;
  for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
