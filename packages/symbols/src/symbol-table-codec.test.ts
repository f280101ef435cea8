import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { scaled } from '@fleetflame/testing';
import { FleetflameError } from '@fleetflame/profile';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowWriter, type Row } from './row-writer.ts';
import type { SymbolColumns, SymbolTable } from './symbol-table.ts';
import { decodeSymbolTable } from './decode-symbol-table.ts';
import { encodeSymbolTable } from './encode-symbol-table.ts';
import { NO_SOURCE, type SourceColumns } from './source-columns.ts';

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

/** main, at 0x40_1020, has code of pay(), which line 9 calls; in that, at 0x40_1024, code of main() on line 3. */
const WITH_LINES: SymbolColumns = {
  ...SAMPLE,
  source: {
    callFunctions: Uint32Array.of(0, 1),
    callParents: Uint32Array.of(0, 1),
    callFiles: Uint32Array.of(1, 2),
    callLines: Uint32Array.of(9, 3),
    ...blocksOf([
      { address: 32, call: 0, file: 1, line: 8 },
      { address: 34, call: 1, file: 2, line: 70 },
      { address: 36, call: 2, file: 1, line: 4 },
      { address: 38, call: 0, file: 1, line: 10 },
    ]),
  },
};

function blocksOf(rows: readonly Row[]): Pick<SourceColumns, 'blockStarts' | 'blockOffsets' | 'rows'> {
  const writer = new RowWriter();
  writer.add(rows, 40);
  return writer.blocks();
}

/** What a table of version 1 was: the same columns without lines, behind a shorter header. */
function versionOne(columns: SymbolColumns): Uint8Array {
  const now = encodeSymbolTable({ ...columns, source: NO_SOURCE });
  const inflated = zstdDecompressSync(now.subarray(56));
  // Of version 2, only the end of the blocks is there.
  const strings = inflated.subarray(inflated.length - columns.strings.length);
  const numbers = inflated.subarray(0, inflated.length - columns.strings.length - 4);
  const body = zstdCompressSync(Buffer.concat([numbers, strings]));
  const bytes = new Uint8Array(40 + body.length);
  bytes.set(now.subarray(0, 40));
  bytes.set(body, 40);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, 1, true);
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

const rowsGiven = fc.array(
  fc.record({
    distance: fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 2 ** 26 })),
    call: fc.integer({ min: 0, max: 3 }),
    file: fc.integer({ min: 0, max: FILES.length }),
    line: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  }),
  { minLength: 1, maxLength: 200 },
);

describe('lines and inlined calls', () => {
  it('are found by address, with the calls around them', async () => {
    const table = await decodeSymbolTable(encodeSymbolTable(WITH_LINES));
    const at = (address: number): unknown => {
      const position = { call: 9, file: 9, line: 9 };
      table.locate(address, position);
      return [position.call, table.fileName(position.file), position.line];
    };
    expect([0x40_101f, 0x40_1020, 0x40_1021, 0x40_1023, 0x40_1025, 0x40_1027, 0x40_1028].map(at)).toEqual([
      [0, '', 0],
      [0, FILES[0], 8],
      [0, FILES[0], 8],
      [1, FILES[1], 70],
      [2, FILES[0], 4],
      [0, FILES[0], 10],
      [0, '', 0],
    ]);
    expect([table.callFunction(1), table.callParent(1), table.callFile(1), table.callLine(1)]).toEqual([
      1, 1, 2, 3,
    ]);
  });

  it('are those that were written, in blocks, wherever one looks (property)', async () => {
    const property = fc.asyncProperty(rowsGiven, async (given) => {
      let address = 0;
      const rows = given.map((one) => ({ ...one, address: (address += one.distance) }));
      const end = address + 5;
      const writer = new RowWriter();
      writer.add(rows, end);
      const calls = {
        callFunctions: Uint32Array.of(0, 1, 1),
        callParents: Uint32Array.of(0, 1, 0),
        callFiles: Uint32Array.of(0, 1, 2),
        callLines: Uint32Array.of(1, 2, 3),
      };
      const source = { ...calls, ...writer.blocks() };
      const table = await decodeSymbolTable(encodeSymbolTable({ ...SAMPLE, source }));
      const position = { call: 0, file: 0, line: 0 };
      const wanted = { call: 0, file: 0, line: 0 };
      return [...rows, { address: end, ...wanted }].every((row, index, all) => {
        const next = all[index + 1]?.address ?? row.address + 10;
        return [row.address, next - 1].every((where) => {
          table.locate(SAMPLE.base + where, position);
          return position.call === row.call && position.file === row.file && position.line === row.line;
        });
      });
    });
    await expect(fc.assert(property, { numRuns: 100 })).resolves.toBeUndefined();
  });

  it('are unknown in a table of version 1, which is still read', async () => {
    const table = await decodeSymbolTable(versionOne(SAMPLE));
    const position = { call: 9, file: 9, line: 9 };
    table.locate(0x40_1000, position);
    expect(position).toEqual({ call: 0, file: 0, line: 0 });
    expect(table.name(table.lookup(0x40_1000))).toBe('shop::pay()');
  });

  it.each([
    ['a call that happens in a later one', { callParents: Uint32Array.of(2, 0) }, /in a later one/],
    ['a call of no function', { callFunctions: Uint32Array.of(0, 7) }, /call 1 names a function/],
    ['a call in no file', { callFiles: Uint32Array.of(0, 7) }, /call 1 names a file/],
    ['an empty block', { blockOffsets: Uint32Array.of(0, 0) }, /do not cover/],
    [
      'blocks in disorder',
      { blockStarts: Uint32Array.of(4, 4), blockOffsets: Uint32Array.of(0, 2, 4), rows: new Uint8Array(4) },
      /does not follow/,
    ],
    [
      'a row of no call',
      { blockOffsets: Uint32Array.of(0, 3), rows: Uint8Array.of(1, 6, 0) },
      /names a call/,
    ],
    [
      'a row of no file',
      { blockOffsets: Uint32Array.of(0, 3), rows: Uint8Array.of(2, 6, 0) },
      /names a file/,
    ],
    ['a row cut off', { blockOffsets: Uint32Array.of(0, 1), rows: Uint8Array.of(0x80) }, /runs into/],
    [
      'a row beyond 4 GiB',
      {
        blockStarts: Uint32Array.of(0xffff_fff0),
        blockOffsets: Uint32Array.of(0, 3),
        rows: Uint8Array.of(0x80, 1, 0),
      },
      /beyond 4 GiB/,
    ],
  ])('are refused with %s', async (_what, change, reason) => {
    const bytes = encodeSymbolTable({ ...WITH_LINES, source: { ...WITH_LINES.source, ...change } });
    await expect(decodeSymbolTable(bytes)).rejects.toThrow(reason);
    await expect(decodeSymbolTable(bytes)).rejects.toMatchObject({ code: 'corrupt_data' });
  });

  it('are refused or sound, whatever the columns say (property)', async () => {
    const bytesGiven = fc.uint8Array({ minLength: 1, maxLength: 40 });
    const words = fc.tuple(fc.nat(0xffff_ffff), fc.nat(3), fc.nat(3), fc.nat(3));
    const property = fc.asyncProperty(bytesGiven, words, async (rows, [start, fn, parent, file]) => {
      const source = {
        callFunctions: Uint32Array.of(0, fn),
        callParents: Uint32Array.of(0, parent),
        callFiles: Uint32Array.of(0, file),
        callLines: Uint32Array.of(0, 0),
        blockStarts: Uint32Array.of(start),
        blockOffsets: Uint32Array.of(0, rows.length),
        rows,
      };
      let table: SymbolTable;
      try {
        table = await decodeSymbolTable(encodeSymbolTable({ ...SAMPLE, source }));
      } catch (error) {
        return error instanceof FleetflameError && error.code === 'corrupt_data';
      }
      const position = { call: 0, file: 0, line: 0 };
      table.locate(SAMPLE.base + start, position);
      return position.call <= 2 && position.file <= FILES.length;
    });
    await expect(fc.assert(property, { numRuns: scaled(500) })).resolves.toBeUndefined();
  });
});

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
