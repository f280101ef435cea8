/**
 * Names of kernel functions: the text symbols of /proc/kallsyms, of modules and of BPF programs, sorted, in
 * two typed arrays and one buffer of names (about 3 MB for a distribution's kernel; objects would be 20).
 *
 * A kernel address has 64 bits and a JavaScript number 53. All kernel text lies in the upper 2^48 bytes, so
 * addresses are kept as the offset from there.
 */

/** Upper 32 bits of the lowest address that is taken for kernel text. */
const BASE_HIGH = 0xffff_0000;
const TWO_32 = 0x1_0000_0000;

/**
 * A symbol has no size here: it reaches to the next one, but no further than this. The largest functions of
 * the kernel have some tens of kilobytes; a module or BPF program loaded later must not take the name of
 * what stands before it.
 */
const MAX_FUNCTION_BYTES = 128 * 1024;

/** A distribution's kernel has 60,000 to 120,000 text symbols, with modules up to 200,000. */
export const MAX_KERNEL_SYMBOLS = 1_000_000;

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** Offset of a kernel address, -1 when it is none. */
export function kernelOffset(low: number, high: number): number {
  return high >= BASE_HIGH ? (high - BASE_HIGH) * TWO_32 + low : -1;
}

export class KernelSymbols {
  /** Symbols turned away by MAX_KERNEL_SYMBOLS. */
  readonly overLimit: number;
  /** True when all addresses were zero: kernel.kptr_restrict hides them from this process. */
  readonly hidden: boolean;
  readonly length: number;
  readonly #start: Float64Array;
  /** Name of symbol i: bytes nameStart[i] to nameStart[i] + nameLength[i] of names. */
  readonly #nameStart: Uint32Array;
  readonly #nameLength: Uint8Array;
  readonly #names: Buffer;

  private constructor(parsed: Parsed) {
    this.overLimit = parsed.overLimit;
    this.hidden = parsed.hidden;
    this.length = parsed.length;
    this.#start = parsed.start;
    this.#nameStart = parsed.nameStart;
    this.#nameLength = parsed.nameLength;
    this.#names = parsed.names;
  }

  /** Reads lines of "address type name [module]". Lines that are none of that are passed over. */
  static parse(text: Uint8Array): KernelSymbols {
    return new KernelSymbols(parse(text));
  }

  get sizeBytes(): number {
    return (
      this.#start.byteLength + this.#nameStart.byteLength + this.#nameLength.byteLength + this.#names.length
    );
  }

  /** Index of the symbol that covers the address (see kernelOffset), -1 when there is none. */
  find(offset: number): number {
    const start = this.#start;
    let low = 0;
    let high = this.length; // Symbols before low start at or below offset, those from high on above it.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (start[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    return index >= 0 && offset - start[index]! < MAX_FUNCTION_BYTES ? index : -1;
  }

  name(index: number): string {
    const at = this.#nameStart[index] ?? 0;
    return this.#names.toString('latin1', at, at + (this.#nameLength[index] ?? 0));
  }
}

interface Parsed {
  readonly length: number;
  readonly start: Float64Array;
  readonly nameStart: Uint32Array;
  readonly nameLength: Uint8Array;
  readonly names: Buffer;
  readonly overLimit: number;
  readonly hidden: boolean;
}

/** Columns in the order of the file, before sorting. */
interface Columns {
  length: number;
  start: Float64Array;
  nameStart: Uint32Array;
  nameLength: Uint8Array;
  global: Uint8Array;
  overLimit: number;
  zeros: number;
}

function parse(text: Uint8Array): Parsed {
  const columns = scan(text);
  const { length, start, nameStart, nameLength, global } = columns;
  const order = sortedByStart(start, length);
  const outStart = new Float64Array(length);
  const outNameStart = new Uint32Array(length);
  const outNameLength = new Uint8Array(length);
  let kept = 0;
  let nameBytes = 0;
  for (let i = 0; i < length;) {
    // Of the symbols at one address keep the best: global before local, few underscores first.
    let best = order === undefined ? i : order[i]!;
    const address = start[best]!;
    for (i++; i < length; i++) {
      const row = order === undefined ? i : order[i]!;
      if (start[row] !== address) break;
      if (rank(text, global, nameStart, row) < rank(text, global, nameStart, best)) best = row;
    }
    outStart[kept] = address;
    outNameStart[kept] = nameStart[best]!;
    outNameLength[kept] = nameLength[best]!;
    nameBytes += nameLength[best]!;
    kept++;
  }
  const names = Buffer.allocUnsafeSlow(nameBytes);
  for (let i = 0, at = 0; i < kept; i++) {
    const from = outNameStart[i]!;
    const size = outNameLength[i]!;
    names.set(text.subarray(from, from + size), at);
    outNameStart[i] = at;
    at += size;
  }
  return {
    length: kept,
    start: outStart.slice(0, kept),
    nameStart: outNameStart.slice(0, kept),
    nameLength: outNameLength.slice(0, kept),
    names,
    overLimit: columns.overLimit,
    hidden: kept === 0 && columns.zeros > 0,
  };
}

/** Aliases of one address: lower is better. _text and _stext stand where a real function does, too. */
function rank(text: Uint8Array, global: Uint8Array, nameStart: Uint32Array, row: number): number {
  let underscores = 0;
  while (text[nameStart[row]! + underscores] === 0x5f) underscores++;
  return underscores * 2 + (global[row] === 1 ? 0 : 1);
}

function scan(text: Uint8Array): Columns {
  // The shortest line has 16 digits, a type, a name and 3 separators.
  const capacity = Math.min(MAX_KERNEL_SYMBOLS, Math.ceil(text.length / 21) + 1);
  const columns: Columns = {
    length: 0,
    start: new Float64Array(capacity),
    nameStart: new Uint32Array(capacity),
    nameLength: new Uint8Array(capacity),
    global: new Uint8Array(capacity),
    overLimit: 0,
    zeros: 0,
  };
  for (let at = 0; at < text.length;) {
    let high = 0;
    let low = 0;
    let digits = 0;
    for (let digit = hexDigit(text[at]!); digit >= 0; digit = hexDigit(text[++at] ?? 0)) {
      high = ((high << 4) | (low >>> 28)) >>> 0;
      low = ((low << 4) | digit) >>> 0;
      digits++;
    }
    const type = text[at + 1] ?? 0;
    const isLine = digits > 0 && digits <= 16 && text[at] === SPACE && text[at + 2] === SPACE;
    at += 3;
    const nameAt = at;
    while (at < text.length && text[at]! > SPACE) at++;
    const nameLength = Math.min(at - nameAt, 255);
    while (at < text.length && text[at] !== NEWLINE) at++;
    at++;
    if (!isLine || nameLength === 0 || !isText(type)) continue;
    const offset = kernelOffset(low, high);
    if (low === 0 && high === 0) columns.zeros++;
    if (offset < 0) continue;
    if (columns.length >= capacity) {
      columns.overLimit++;
      continue;
    }
    const row = columns.length++;
    columns.start[row] = offset;
    columns.nameStart[row] = nameAt;
    columns.nameLength[row] = nameLength;
    columns.global[row] = type < 0x60 ? 1 : 0;
  }
  return columns;
}

/** t and T are text, w and W weak symbols. */
function isText(type: number): boolean {
  const lower = type | 0x20;
  return lower === 0x74 || lower === 0x77;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  return -1;
}

/** The order of rows by start, undefined when they are in order already (the kernel's own part is). */
function sortedByStart(start: Float64Array, length: number): Uint32Array | undefined {
  let sorted = true;
  for (let i = 1; i < length && sorted; i++) sorted = start[i - 1]! <= start[i]!;
  if (sorted) return undefined;
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  return order.sort((a, b) => start[a]! - start[b]! || a - b);
}
