/** Writes Go function tables of every layout, also of those that no compiler at hand writes. */
import type { PclntabVersion } from '@fleetflame/elf';

export interface GoFunction {
  readonly name: string;
  readonly start: number;
  readonly file: string;
  readonly line: number;
}

const MAGIC: Readonly<Record<PclntabVersion, number>> = {
  '1.2': 0xffff_fffb,
  '1.16': 0xffff_fffa,
  '1.18': 0xffff_fff0,
  '1.20': 0xffff_fff1,
};

/** Functions in order of address; the last ends at `end`. */
export function goTable(
  version: PclntabVersion,
  functions: readonly GoFunction[],
  end: number,
  textStart: number,
): Uint8Array {
  return version === '1.2' ? oldTable(functions, end) : newTable(version, functions, end, textStart);
}

class Part {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  u8(...values: readonly number[]): this {
    this.#bytes.push(...values);
    return this;
  }

  u32(value: number): this {
    return this.u8(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255);
  }

  u64(value: number): this {
    return this.u32((value % 2 ** 32) | 0).u32(Math.floor(value / 2 ** 32));
  }

  text(value: string): number {
    const at = this.length;
    this.u8(...new TextEncoder().encode(value), 0);
    return at;
  }

  /** One value for all program counters, counted from -1. */
  value(value: number): number {
    const at = this.length;
    const delta = value + 1;
    let zigzag = delta < 0 ? -delta * 2 - 1 : delta * 2;
    while (zigzag >= 0x80) {
      this.u8((zigzag & 0x7f) | 0x80);
      zigzag = Math.floor(zigzag / 128);
    }
    this.u8(zigzag, 1, 0);
    return at;
  }

  patch(at: number, value: number): void {
    for (let byte = 0; byte < 4; byte++) this.#bytes[at + byte] = (value >>> (8 * byte)) & 255;
  }

  align(): this {
    while (this.length % 8 !== 0) this.u8(0);
    return this;
  }

  add(other: Part): number {
    const at = this.align().length;
    for (const byte of other.#bytes) this.#bytes.push(byte);
    return at;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

function newTable(
  version: PclntabVersion,
  functions: readonly GoFunction[],
  end: number,
  textStart: number,
): Uint8Array {
  const relative = version !== '1.16';
  const files = [...new Set(functions.map((one) => one.file))];
  const fileNames = new Part();
  const units = new Part();
  for (const file of files) units.u32(fileNames.text(file));
  const names = new Part();
  // Offset 0 means that there is no table.
  const values = new Part().u8(0);
  const functab = new Part();
  const records = new Part();
  const word = (part: Part, value: number): Part => (relative ? part.u32(value) : part.u64(value));
  const address = (value: number): number => (relative ? value - textStart : value);
  const functabBytes = (functions.length * 2 + 1) * (relative ? 4 : 8);
  const recordsAt = Math.ceil(functabBytes / 8) * 8;
  for (const one of functions) {
    word(word(functab, address(one.start)), recordsAt + records.align().length);
    word(records, address(one.start));
    records.u32(names.text(one.name)).u32(0).u32(0).u32(0);
    records.u32(values.value(files.indexOf(one.file))).u32(values.value(one.line));
    records.u32(0).u32(0);
    if (version === '1.20') records.u32(one.line);
    records.u8(0, 0, 0, 0);
  }
  word(functab, address(end));
  functab.add(records);
  const header = new Part().u32(MAGIC[version]).u8(0, 0, 1, 8).u64(functions.length).u64(files.length);
  if (relative) header.u64(textStart);
  const partsAt = header.length;
  for (let part = 0; part < 5; part++) header.u64(0);
  [names, units, fileNames, values, functab].forEach((part, index) =>
    header.patch(partsAt + index * 8, header.add(part)),
  );
  return header.bytes();
}

function oldTable(functions: readonly GoFunction[], end: number): Uint8Array {
  const files = [...new Set(functions.map((one) => one.file))];
  const table = new Part().u32(MAGIC['1.2']).u8(0, 0, 1, 8).u64(functions.length);
  const functabAt = table.length;
  for (const one of functions) table.u64(one.start).u64(0);
  table.u64(end);
  const filesPointer = table.length;
  table.u32(0);
  functions.forEach((one, index) => {
    const record = table.align().length;
    table.patch(functabAt + index * 16 + 8, record);
    table.u64(one.start);
    for (let field = 0; field < 8; field++) table.u32(0);
    table.patch(record + 8, table.text(one.name));
    table.patch(record + 24, table.value(files.indexOf(one.file) + 1));
    table.patch(record + 28, table.value(one.line));
  });
  table.align();
  table.patch(filesPointer, table.length);
  const filesAt = table.length;
  table.u32(files.length + 1);
  for (const _file of files) table.u32(0);
  files.forEach((file, index) => table.patch(filesAt + (index + 1) * 4, table.text(file)));
  return table.bytes();
}
