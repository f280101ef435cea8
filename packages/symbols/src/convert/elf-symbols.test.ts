import { bufferSource, elfConstants, ElfError, ElfFile } from '@fleetflame/elf';
import { elfImage, type ElfImageSection } from '@fleetflame/elf/testing';
import { describe, expect, it } from 'vitest';
import { CodeAreas } from './code-areas.ts';
import { addElfSymbols } from './elf-symbols.ts';
import { SymbolList } from './symbol-list.ts';

const { SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_SYMTAB_SHNDX, SHN_XINDEX, EM_AARCH64 } = elfConstants;
const NOTYPE = 0;
const OBJECT = 1;
const FUNC = 2;
const IFUNC = 10;
const TEXT = 1;
const DATA = 2;
const ABSOLUTE = 0xfff1;

interface Given {
  readonly name: string;
  readonly type: number;
  readonly value: bigint;
  readonly size?: bigint;
  readonly section?: number;
  readonly nameOffset?: number;
}

/** .text at 0x1000 with 0x100 bytes, .data at 0x2000, then the symbols. */
function fileOf(symbols: readonly Given[], options: { readonly xindex?: readonly number[] } = {}): ElfFile {
  const names = ['', ...symbols.map((one) => one.name)];
  const table = new Uint8Array(names.length * 24);
  const view = new DataView(table.buffer);
  let nameOffset = 1;
  symbols.forEach((symbol, index) => {
    const at = (index + 1) * 24;
    view.setUint32(at, symbol.nameOffset ?? nameOffset, true);
    nameOffset += symbol.name.length + 1;
    view.setUint8(at + 4, symbol.type);
    view.setUint16(at + 6, symbol.section ?? TEXT, true);
    view.setBigUint64(at + 8, symbol.value, true);
    view.setBigUint64(at + 16, symbol.size ?? 0n, true);
  });
  const sections: ElfImageSection[] = [
    { name: '.text', type: SHT_PROGBITS, flags: 6, address: 0x1000, contents: new Uint8Array(0x100) },
    { name: '.data', type: SHT_PROGBITS, flags: 3, address: 0x2000, contents: new Uint8Array(0x100) },
    { name: '.symtab', type: SHT_SYMTAB, link: 4, entrySize: 24, contents: table },
    { name: '.strtab', type: SHT_STRTAB, contents: new TextEncoder().encode(`${names.join('\0')}\0`) },
  ];
  if (options.xindex !== undefined) {
    const contents = new Uint8Array(new Uint32Array(options.xindex).buffer);
    sections.push({ name: '.symtab_shndx', type: SHT_SYMTAB_SHNDX, link: 3, entrySize: 4, contents });
  }
  return ElfFile.parse(bufferSource(elfImage(sections, { machine: EM_AARCH64 })));
}

/** "name start-end" of the symbols taken. */
function taken(file: ElfFile): string[] {
  const list = new SymbolList();
  const table = file.section('.symtab');
  if (table !== undefined) addElfSymbols(file, table, new CodeAreas(file), list);
  return Array.from(
    { length: list.length },
    (_, index) => `${list.name(index)} ${list.starts[index]?.toString(16)}-${list.ends[index]?.toString(16)}`,
  );
}

describe('addElfSymbols', () => {
  it('takes functions, resolvers and labels of code', () => {
    const symbols = [
      { name: 'f', type: FUNC, value: 0x1000n, size: 0x20n },
      { name: 'resolver', type: IFUNC, value: 0x1020n, size: 0x10n },
      { name: 'label', type: NOTYPE, value: 0x1040n },
    ];
    expect(taken(fileOf(symbols))).toEqual(['f 1000-1020', 'resolver 1020-1030', 'label 1040-0']);
  });

  it.each([
    ['data', { type: OBJECT, value: 0x1000n }],
    ['what is not in code', { type: FUNC, value: 0x2000n, section: DATA }],
    ['what is defined elsewhere', { type: FUNC, value: 0x1000n, section: 0 }],
    ['numbers', { type: FUNC, value: 0x1000n, section: ABSOLUTE }],
    ['addresses outside of their section', { type: FUNC, value: 0x1100n }],
    ['addresses beyond 2^53', { type: FUNC, value: 0xffff_ffff_8000_0000n }],
    ['sections that are not there', { type: FUNC, value: 0x1000n, section: 99 }],
    ['names outside of the strings', { type: FUNC, value: 0x1000n, nameOffset: 9999 }],
    ['symbols without a name', { type: FUNC, value: 0x1000n, nameOffset: 0 }],
    ['marks of code and data on aarch64', { name: '$x', type: NOTYPE, value: 0x1000n }],
    ['numbered marks', { name: '$d.42', type: NOTYPE, value: 0x1000n }],
  ])('leaves out %s', (_what, symbol) => {
    const kept = { name: 'kept', type: FUNC, value: 0x1080n, size: 8n };
    expect(taken(fileOf([{ name: 'x', ...symbol }, kept]))).toEqual(['kept 1080-1088']);
  });

  it('keeps names that only begin like marks', () => {
    expect(taken(fileOf([{ name: '$xyz', type: NOTYPE, value: 0x1000n }]))).toEqual(['$xyz 1000-0']);
  });

  it('ends every function where its section ends', () => {
    expect(taken(fileOf([{ name: 'long', type: FUNC, value: 0x10f0n, size: 2n ** 63n }]))).toEqual([
      'long 10f0-0',
    ]);
    expect(taken(fileOf([{ name: 'long', type: FUNC, value: 0x10f0n, size: 0x1000n }]))).toEqual([
      'long 10f0-1100',
    ]);
  });

  it('reads section numbers that do not fit 16 bits', () => {
    const symbol = { name: 'f', type: FUNC, value: 0x1000n, size: 4n, section: SHN_XINDEX };
    expect(taken(fileOf([symbol], { xindex: [0, TEXT] }))).toEqual(['f 1000-1004']);
    expect(taken(fileOf([symbol]))).toEqual([]);
    expect(() => taken(fileOf([symbol], { xindex: [0] }))).toThrow(ElfError);
  });
});
