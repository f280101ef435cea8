/**
 * The strings of a block as the bytes that Arrow keeps: UTF-8, one after another, and where each begins.
 *
 *   bytes   m a i n w o r k
 *   starts  0 0     4       8        "", "main", "work"
 *
 * Blocks come and go by the hundred a second and most of their names are never looked at: what merges,
 * seals and compares blocks does so by bytes. A JavaScript string is made when somebody asks for one.
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Below this a loop beats the call into the decoder. */
const SHORT_BYTES = 32;

export class StringTable {
  readonly length: number;
  readonly bytes: Uint8Array;
  /** String i is bytes starts[i] to starts[i+1] (length + 1 entries, the first is 0). */
  readonly starts: Uint32Array;
  #texts: (string | undefined)[] | undefined;

  /** Keeps both arrays. The bytes are valid UTF-8, of every string by itself. */
  constructor(bytes: Uint8Array, starts: Uint32Array) {
    this.length = starts.length - 1;
    this.bytes = bytes;
    this.starts = starts;
  }

  /** Half a surrogate pair has no UTF-8 form: it becomes U+FFFD, as any encoder makes it. */
  static of(texts: Iterable<string>): StringTable {
    const parts = Array.from(texts, (text) => encoder.encode(text));
    const starts = new Uint32Array(parts.length + 1);
    for (const [i, part] of parts.entries()) starts[i + 1] = starts[i]! + part.length;
    const bytes = new Uint8Array(starts[parts.length]!);
    for (const [i, part] of parts.entries()) bytes.set(part, starts[i]);
    return new StringTable(bytes, starts);
  }

  /** "" for an index that the table does not have. */
  at(index: number): string {
    if (!(index < this.length)) return '';
    this.#texts ??= [];
    return (this.#texts[index] ??= decodeUtf8(this.bytes, this.starts[index]!, this.starts[index + 1]!));
  }

  byteLength(index: number): number {
    return this.starts[index + 1]! - this.starts[index]!;
  }

  /** Order of code points, which is that of UTF-8 bytes. */
  compare(a: number, b: number): number {
    return compareBytes(this, a, this, b);
  }

  *[Symbol.iterator](): Generator<string> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}

/** Strings by their bytes; what is being built has them as a finished table does. */
export interface StringBytes {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

export function compareBytes(left: StringBytes, a: number, right: StringBytes, b: number): number {
  const x = left.starts[a]!;
  const y = right.starts[b]!;
  const lengthA = left.starts[a + 1]! - x;
  const lengthB = right.starts[b + 1]! - y;
  const shared = Math.min(lengthA, lengthB);
  for (let i = 0; i < shared; i++) {
    const difference = left.bytes[x + i]! - right.bytes[y + i]!;
    if (difference !== 0) return difference;
  }
  return lengthA - lengthB;
}

export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT_BYTES) {
    let text = '';
    let at = start;
    for (; at < end && bytes[at]! < 0x80; at++) text += String.fromCharCode(bytes[at]!);
    if (at === end) return text;
  }
  return decoder.decode(bytes.subarray(start, end));
}
