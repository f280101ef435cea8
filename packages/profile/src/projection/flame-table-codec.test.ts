import * as fc from 'fast-check';
import { RecordBatchStreamWriter, Table, tableFromIPC, vectorFromArray } from 'apache-arrow';
import pl from 'nodejs-polars';
import { describe, expect, test } from 'vitest';
import { FleetflameError } from '../errors.ts';
import { decodeFlameTable } from './flame-table-decode.ts';
import { encodeFlameTable } from './flame-table-encode.ts';
import { flameTableFromFolded } from './flame-table-from-folded.ts';
import { FRAME_KINDS, type FlameTable } from './flame-table.ts';

const STORY = `
  main;handle;parse 30
  main;handle;write@libc.so.6 12
  main;handle;write@libc.so.6;vfs_write@[kernel] 5
  main;handle;app+0x4f2 3
`;

/** One line per row: indented name, total, self. */
function draw(table: FlameTable): string[] {
  return Array.from({ length: table.length }, (_, i) => {
    const frame = table.frame[i]!;
    const { frames } = table;
    const binary = frames.strings[frames.binary[frame]!]!;
    const kind = FRAME_KINDS[frames.kind[frame]!]!;
    const name = frames.strings[frames.name[frame]!]!;
    const named = frames.named[frame] === 1 ? '' : ' not named';
    return `${'  '.repeat(table.depth[i]!)}${name} ${table.total[i]} ${table.self[i]} ${kind} ${binary}${named}`.trimEnd();
  });
}

/** The field that decoding names after this change. */
function refusedField(table: FlameTable, change: Partial<FlameTable>): string | undefined {
  const bytes = encodeFlameTable({ ...table, ...change });
  try {
    decodeFlameTable(bytes);
  } catch (error) {
    if (error instanceof FleetflameError && error.code === 'corrupt_data') return error.field;
    throw error;
  }
  return undefined;
}

/** What decoding does with bytes that may be damaged; any other error than ours is thrown on. */
function outcome(bytes: Uint8Array): string {
  try {
    const table = decodeFlameTable(bytes);
    return table.parent.every((parent, row) => parent < row) ? 'a tree' : 'no tree';
  } catch (error) {
    if (error instanceof FleetflameError) return 'refused';
    throw error;
  }
}

describe('flame table', () => {
  test('of folded text has siblings by name and totals from below', () => {
    expect(draw(flameTableFromFolded(STORY))).toEqual([
      'all 50 0 root',
      '  main 50 0 unknown',
      '    handle 50 0 unknown',
      '      app+0x4f2 3 3 unknown  not named',
      '      parse 30 30 unknown',
      '      write 17 12 native libc.so.6',
      '        vfs_write 5 5 kernel [kernel]',
    ]);
  });

  test('comes back from its Arrow stream', () => {
    const table = flameTableFromFolded(STORY);
    const back = decodeFlameTable(encodeFlameTable(table));
    expect(draw(back)).toEqual(draw(table));
    expect([...back.subtreeEnd]).toEqual([7, 7, 7, 4, 5, 7, 7]);
    expect([...back.parent]).toEqual([-1, 0, 1, 2, 2, 2, 5]);
  });

  test('of nothing is one root row', () => {
    expect(draw(decodeFlameTable(encodeFlameTable(flameTableFromFolded(''))))).toEqual(['all 0 0 root']);
  });

  test('keeps names that are not ASCII, empty or look like a byte order mark', () => {
    const names = ['größe', '関数', '𝒻', '\u{feff}x', '', 'plain'];
    const table = flameTableFromFolded(names.map((name, i) => `f${i}:${name};leaf 1`).join('\n'));
    const back = decodeFlameTable(encodeFlameTable(table));
    expect(draw(back)).toEqual(draw(table));
  });

  test('decodes from any offset inside a larger buffer', () => {
    const bytes = encodeFlameTable(flameTableFromFolded(STORY));
    for (let offset = 0; offset < 8; offset++) {
      const larger = new Uint8Array(bytes.length + offset);
      larger.set(bytes, offset);
      expect(draw(decodeFlameTable(larger.subarray(offset)))).toEqual(draw(flameTableFromFolded(STORY)));
    }
  });

  test('is readable by an independent Arrow implementation with the same sums', () => {
    const bytes = encodeFlameTable(flameTableFromFolded(STORY));
    const frame = pl.readIPCStream(Buffer.from(bytes));
    expect(frame.columns).toEqual([
      'parent',
      'depth',
      'total',
      'self',
      'pruned_nodes',
      'frame',
      'name',
      'filename',
      'binary',
      'build_id',
      'start_line',
      'kind',
      'named',
    ]);
    expect(frame.getColumn('self').sum()).toBe(50);
    expect(frame.getColumn('name').cast(pl.Utf8).toArray()).toEqual([
      'all',
      'main',
      'handle',
      'app+0x4f2',
      'parse',
      'write',
      'vfs_write',
    ]);
  });

  test('encode then decode is the identity for any tree', () => {
    const part = fc
      .string({ unit: 'grapheme', maxLength: 6 })
      .map((text) => text.replaceAll(/[\s;@]/gu, '_'));
    const line = fc.tuple(
      fc.array(part, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 2 ** 40 }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        const table = flameTableFromFolded(
          lines.map(([parts, value]) => `x${parts.join(';')} ${value}`).join('\n'),
        );
        const back = decodeFlameTable(encodeFlameTable(table));
        expect(draw(back)).toEqual(draw(table));
        expect(back.subtreeEnd).toEqual(table.subtreeEnd);
      }),
      { numRuns: 100 },
    );
  });

  test('refuses bytes that were cut or changed with a FleetflameError, or reads a valid tree', () => {
    const bytes = encodeFlameTable(flameTableFromFolded(STORY));
    for (let length = 0; length < bytes.length; length += 7)
      expect(outcome(bytes.slice(0, length))).toBe('refused');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = bytes.slice();
        changed[at] = changed[at]! ^ flip;
        expect(['refused', 'a tree']).toContain(outcome(changed));
      }),
      { numRuns: 500 },
    );
  });

  test('says which column is wrong', () => {
    const table = flameTableFromFolded(STORY);
    expect(refusedField(table, { parent: Int32Array.of(-1, 0, 1, 2, 2, 6, 5) })).toBe('parent');
    expect(refusedField(table, { parent: Int32Array.of(-1, 0, 1, 2, 2, 2, 4) })).toBe('parent');
    expect(refusedField(table, { parent: Int32Array.of(0, 0, 1, 2, 2, 2, 5) })).toBe('parent');
    expect(refusedField(table, { depth: Uint16Array.of(0, 1, 2, 3, 3, 3, 5) })).toBe('depth');
    expect(refusedField(table, { total: table.total.map(() => Number.NaN) })).toBe('total');
    expect(refusedField(table, { frames: { ...table.frames, kind: table.frames.kind.map(() => 99) } })).toBe(
      'kind',
    );
  });

  test('refuses another Arrow stream', () => {
    const other = RecordBatchStreamWriter.writeAll(new Table({ a: vectorFromArray([1, 2]) })).toUint8Array(
      true,
    );
    expect(tableFromIPC(other).numRows).toBe(2);
    expect(() => decodeFlameTable(other)).toThrow(/the schema says kind undefined/u);
  });
});
