import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SymbolColumns } from './symbol-table.ts';
import { decodeSymbolTable } from './decode-symbol-table.ts';
import { encodeSymbolTable } from './encode-symbol-table.ts';
import { NO_SOURCE } from './source-columns.ts';

interface Given {
  readonly gap: number;
  readonly length: number;
  readonly name: string;
  readonly systemName: string;
  readonly file: number;
  readonly line: number;
}

const FILES = ['/shop/main.c', '/shop/käse.c'];

function columnsOf(given: readonly Given[], base: number): SymbolColumns {
  const texts = [...given.map((one) => one.name), ...given.map((one) => one.systemName), ...FILES];
  const encoded = texts.map((text) => Buffer.from(text));
  const offsets = [0];
  for (const bytes of encoded) offsets.push((offsets.at(-1) ?? 0) + bytes.length);
  const starts: number[] = [];
  let end = 0;
  for (const { gap, length } of given) {
    starts.push(end + gap);
    end += gap + length;
  }
  const count = given.length;
  return {
    base,
    starts: Uint32Array.from(starts),
    lengths: Uint32Array.from(given, (one) => one.length),
    functions: Uint32Array.from(given, (_, index) => index),
    nameOffsets: Uint32Array.from(offsets.slice(0, count + 1)),
    systemNameOffsets: Uint32Array.from(offsets.slice(count, count * 2 + 1)),
    files: Uint32Array.from(given, (one) => one.file),
    lines: Uint32Array.from(given, (one) => one.line),
    fileOffsets: Uint32Array.from(offsets.slice(count * 2)),
    strings: Buffer.concat(encoded),
    source: NO_SOURCE,
  };
}

const given = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 1000 }),
    length: fc.integer({ min: 1, max: 1000 }),
    name: fc.string({ unit: 'grapheme', minLength: 1 }),
    systemName: fc.string(),
    file: fc.integer({ min: 0, max: FILES.length }),
    line: fc.integer({ min: 0, max: 100_000 }),
  }),
  { maxLength: 30 },
);

const SAMPLE = columnsOf(
  [
    { gap: 0, length: 16, name: 'shop::pay()', systemName: '_ZN4shop3payEv', file: 1, line: 7 },
    { gap: 16, length: 8, name: 'main', systemName: '', file: 0, line: 0 },
  ],
  0x40_1000,
);

/** The table with one header field changed and its checksum made right again. */
function withField(at: number, value: number): Uint8Array {
  const bytes = encodeSymbolTable(SAMPLE);
  const view = new DataView(bytes.buffer);
  view.setUint32(at, value, true);
  if (at >= 16) view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

async function holds(functions: readonly Given[], base: number): Promise<boolean> {
  const columns = columnsOf(functions, base);
  const table = await decodeSymbolTable(encodeSymbolTable(columns));
  return functions.every((one, index) => {
    const start = base + (columns.starts[index] ?? 0);
    return (
      [start, start + one.length - 1].every((at) => table.lookup(at) === index) &&
      table.name(index) === one.name &&
      table.systemName(index) === (one.systemName || one.name) &&
      table.file(index) === (FILES[one.file - 1] ?? '') &&
      table.line(index) === one.line
    );
  });
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at] = (bytes[at] ?? 0) ^ 4;
  return bytes;
}

describe('the stored symbol table', () => {
  it('gives names, files and lines by address', async () => {
    const table = await decodeSymbolTable(encodeSymbolTable(SAMPLE));
    const pay = table.lookup(0x40_1000);
    expect([table.name(pay), table.systemName(pay), table.file(pay), table.line(pay)]).toEqual([
      'shop::pay()',
      '_ZN4shop3payEv',
      '/shop/main.c',
      7,
    ]);
    const main = table.lookup(0x40_1027);
    expect([table.name(main), table.systemName(main), table.file(main), table.line(main)]).toEqual([
      'main',
      'main',
      '',
      0,
    ]);
    expect([0x40_0fff, 0x40_1010, 0x40_101f, 0x40_1028, 0, 2 ** 52].map((at) => table.lookup(at))).toEqual(
      Array(6).fill(-1),
    );
  });

  it('decodes to what was encoded, and finds every address (property)', async () => {
    const property = fc.asyncProperty(given, fc.integer({ min: 0, max: 2 ** 50 }), holds);
    await expect(fc.assert(property, { numRuns: 60 })).resolves.toBeUndefined();
  });

  it.each([
    ['too short', new Uint8Array(10), /do not begin with FFSYMTAB/],
    ['of another kind', new Uint8Array(100), /do not begin with FFSYMTAB/],
    ['of a later version', withField(8, 3), /version 3 is not known/],
    ['with a bit flipped', flipped(encodeSymbolTable(SAMPLE), 60), /checksum/],
    ['that claims ranges it has not', withField(16, 9), /bytes of columns/],
    ['that claims absurdly many functions', withField(20, 0xffff_ffff), /4294967295 functions, at most/],
    ['with addresses beyond 2^53', withField(36, 0x7fff_ffff), /beyond 2\^53/],
    [
      'with overlapping ranges',
      encodeSymbolTable({ ...SAMPLE, lengths: Uint32Array.of(99, 8) }),
      /range 1 begins before/,
    ],
    [
      'with a function that is not there',
      encodeSymbolTable({ ...SAMPLE, functions: Uint32Array.of(0, 7) }),
      /names a function/,
    ],
    [
      'with a file that is not there',
      encodeSymbolTable({ ...SAMPLE, files: Uint32Array.of(9, 0) }),
      /names a file/,
    ],
    [
      'with names outside',
      encodeSymbolTable({ ...SAMPLE, nameOffsets: Uint32Array.of(0, 5, 9999) }),
      /end outside/,
    ],
    [
      'with names in disorder',
      encodeSymbolTable({ ...SAMPLE, nameOffsets: Uint32Array.of(0, 9, 5) }),
      /not ascending/,
    ],
  ])('is refused when it is %s', async (_what, bytes, reason) => {
    await expect(decodeSymbolTable(bytes)).rejects.toThrow(reason);
    await expect(decodeSymbolTable(bytes)).rejects.toMatchObject({ code: 'corrupt_data' });
  });
});
