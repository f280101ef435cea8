import { scaled } from '@fleetflame/testing';
import { bufferSource, ElfError, ElfFile, findGoPclntab, type PclntabVersion } from '@fleetflame/elf';
import { elfImage } from '@fleetflame/elf/testing';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goTable, type GoFunction } from '../testing/go-table.ts';
import { CodeAreas } from './code-areas.ts';
import { LineSink } from './line-sink.ts';
import { addGoSymbols, type GoTextHints } from './go-symbols.ts';
import { SymbolList } from './symbol-list.ts';

const TEXT = 0x40_1000;
const END = 0x40_1400;
const FUNCTIONS: readonly GoFunction[] = [
  { name: '_rt0_amd64_linux', start: TEXT + 0x20, file: '/go/rt0.s', line: 8 },
  { name: 'main.main', start: TEXT + 0x40, file: '/shop/main.go', line: 300 },
  { name: 'main.(*Basket[...]).Add', start: TEXT + 0x100, file: '/shop/main.go', line: 20_000 },
  { name: 'runtime.goexit', start: TEXT + 0x3f0, file: '/go/asm.s', line: 1 },
];
const HINTS: GoTextHints = { runtimeText: undefined, entry: TEXT + 0x20, text: TEXT };
const VERSIONS: readonly PclntabVersion[] = ['1.2', '1.16', '1.18', '1.20'];

function binary(table: Uint8Array, name = '.gopclntab'): ElfFile {
  const sections = [
    { name: '.text', type: 1, flags: 6, address: TEXT, contents: new Uint8Array(END - TEXT) },
    { name: '.go.buildinfo', type: 1, contents: new Uint8Array(16) },
    { name, type: 1, flags: 2, address: 0x50_0000, contents: table },
  ];
  return ElfFile.parse(bufferSource(elfImage(sections)));
}

function read(file: ElfFile, hints = HINTS): SymbolList {
  const list = new SymbolList();
  const table = findGoPclntab(file);
  if (table !== undefined) addGoSymbols(table, hints, new CodeAreas(file), list, new LineSink(undefined));
  return list;
}

function described(list: SymbolList): (GoFunction & { readonly end: number })[] {
  return Array.from({ length: list.length }, (_, index) => ({
    name: list.name(index),
    start: list.starts[index] ?? 0,
    end: list.ends[index] ?? 0,
    file: list.files[(list.fileIndices[index] ?? 0) - 1] ?? '',
    line: list.lines[index] ?? 0,
  }));
}

const EXPECTED = FUNCTIONS.map((one, index) => ({ ...one, end: FUNCTIONS[index + 1]?.start ?? END }));

describe("Go's function table", () => {
  it.each(VERSIONS)('of Go %s is read: names, ranges, files, lines', (version) => {
    expect(described(read(binary(goTable(version, FUNCTIONS, END, TEXT))))).toEqual(EXPECTED);
  });

  it.each(VERSIONS)('of Go %s is found in a section of another name', (version) => {
    const noise = new Uint8Array(4096).fill(0xf0);
    const contents = new Uint8Array([...noise, ...goTable(version, FUNCTIONS, END, TEXT), ...noise]);
    expect(described(read(binary(contents, '.data.rel.ro')))).toEqual(EXPECTED);
  });

  it.each([
    ['the symbol runtime.text', { runtimeText: TEXT, entry: 0, text: 0 }],
    ['the start of .text', { runtimeText: undefined, entry: 0, text: TEXT }],
    ['the entry point', { runtimeText: undefined, entry: TEXT + 0x20, text: undefined }],
  ])('without the address of the text takes it from %s', (_what, hints) => {
    const table = goTable('1.20', FUNCTIONS, END, TEXT);
    table.fill(0, 24, 32);
    expect(described(read(binary(table), hints))).toEqual(EXPECTED);
  });

  it.each([
    [
      'a name that lies outside',
      '1.18',
      (view: DataView, functab: number) => view.setUint32(functab + 40 + 4, 0x7fff_ffff, true),
      /name of function 0 lies outside/,
    ],
    [
      'a record that lies outside',
      '1.18',
      (view: DataView, functab: number) => view.setUint32(functab + 4, 0x7fff_ffff, true),
      /record of function 0 lies outside/,
    ],
    [
      'functions out of order',
      '1.18',
      (view: DataView, functab: number) => view.setUint32(functab, 0x300, true),
      /function 0 ends before it starts/,
    ],
    [
      'an unknown version',
      '1.18',
      (view: DataView) => view.setUint32(0, 0xffff_ff00, true),
      /no header of a known version/,
    ],
    [
      'more functions than fit',
      '1.18',
      (view: DataView) => view.setUint32(8, 0x7fff_ffff, true),
      /no header of a known version/,
    ],
  ] as const)('is refused with %s', (_what, version, damage, reason) => {
    const table = goTable(version, FUNCTIONS, END, TEXT);
    const view = new DataView(table.buffer);
    damage(view, Number(view.getBigUint64(64, true)));
    expect(() => read(binary(table))).toThrow(ElfError);
    expect(() => read(binary(table))).toThrow(reason);
  });

  it.each(VERSIONS)('of Go %s, broken anyhow, gives an ElfError or functions within the text', (version) => {
    const table = goTable(version, FUNCTIONS, END, TEXT);
    const change = fc.tuple(
      fc.integer({ min: 0, max: table.length - 4 }),
      fc.oneof(
        fc.constantFrom(0, 1, 0x7f, 0xffff, 0x7fff_ffff, 0xffff_ffff),
        fc.integer({ min: 0, max: 0xffff_ffff }),
      ),
      fc.constantFrom(1, 4),
    );
    const holds = (changes: readonly (readonly [number, number, number])[]): boolean => {
      const bytes = new Uint8Array(table);
      for (const [at, value, width] of changes) {
        for (let byte = 0; byte < width; byte++) bytes[at + byte] = (value >>> (8 * byte)) & 255;
      }
      try {
        return described(read(binary(bytes))).every(
          (one) => one.start >= TEXT && one.end <= END && one.end > one.start,
        );
      } catch (error) {
        return error instanceof ElfError;
      }
    };
    expect(() =>
      fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), holds), {
        numRuns: scaled(500),
      }),
    ).not.toThrow();
  });
});
