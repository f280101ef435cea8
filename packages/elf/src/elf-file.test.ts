import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bufferSource } from './byte-source.ts';
import { EM_AARCH64, PF_X, PT_NOTE, SHF_COMPRESSED, SHT_NOTE, SHT_PROGBITS } from './constants.ts';
import { ElfError } from './elf-error.ts';
import { ElfFile } from './elf-file.ts';
import { buildProgram, elfImage, PROGRAMS } from './testing/index.ts';

function parse(bytes: Uint8Array): ElfFile {
  return ElfFile.parse(bufferSource(bytes));
}

const REAL = [
  '/bin/sh',
  '/usr/bin/env',
  process.execPath,
  buildProgram(PROGRAMS.c),
  buildProgram(PROGRAMS.goPie),
];

describe('ElfFile on real files', () => {
  it.each(REAL)('agrees with readelf on the sections and build id of %s', (path) => {
    const file = parse(readFileSync(path));
    const listed = execFileSync('readelf', ['-SW', path], { encoding: 'utf8' })
      .split('\n')
      .map((line) =>
        /^\s*\[\s*(\d+)\] (\S*)\s+[A-Z]\S*\s+([0-9a-f]{16}) ([0-9a-f]{6,}) ([0-9a-f]{6,})/.exec(line),
      )
      .filter((match) => match !== null && match[1] !== '0')
      .map((match) => [match?.[2], ...[3, 4, 5].map((group) => Number.parseInt(match?.[group] ?? '', 16))]);
    expect(listed.length).toBeGreaterThan(10);
    expect(file.sections.slice(1).map((one) => [one.name, one.address, one.offset, one.size])).toEqual(
      listed,
    );
    const notes = execFileSync('readelf', ['-nW', path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(file.buildId).toBe(/Build ID: ([0-9a-f]+)/.exec(notes)?.[1]);
    expect(file.sectionsProblem).toBeUndefined();
  });

  it('knows a Go program by the content part of its build id', () => {
    const path = buildProgram(PROGRAMS.goWithoutGnuId);
    const file = parse(readFileSync(path));
    expect(file.goBuildId).toBe(execFileSync('go', ['tool', 'buildid', path], { encoding: 'utf8' }).trim());
    expect(file.buildId).toBeUndefined();
    expect(file.identity).toMatch(/^[0-9a-f]{30}$/);
  });

  it('maps file offsets to the addresses that every section has', () => {
    for (const path of REAL) {
      const file = parse(readFileSync(path));
      for (const section of file.sections) {
        if ((section.flags & 2) === 0 || section.type === 8 || section.size === 0) continue;
        expect(file.fileOffsetToAddress(section.offset)).toBe(section.address);
        expect(file.addressToFileOffset(section.address)).toBe(section.offset);
      }
    }
  });

  it('reads headers, names and notes, not the file', () => {
    const bytes = readFileSync(process.execPath);
    let read = 0;
    ElfFile.parse({
      size: bytes.length,
      read: (offset, length) => {
        read += length;
        return bytes.subarray(offset, offset + length);
      },
    });
    expect(read).toBeLessThan(bytes.length / 20);
  });

  it('does without section headers', () => {
    const bytes = new Uint8Array(readFileSync(buildProgram(PROGRAMS.c)));
    const whole = parse(bytes);
    bytes.fill(0, 40, 48);
    bytes.fill(0, 58, 64);
    const bare = parse(bytes);
    expect(bare.sections).toEqual([]);
    expect(bare.buildId).toBe(whole.buildId);
    expect(bare.fileOffsetToAddress(0x1234)).toBe(whole.fileOffsetToAddress(0x1234));
  });
});

describe('ElfFile.fileOffsetToAddress', () => {
  const segments = [
    { flags: 4, offset: 0, address: 0x40_0000, fileSize: 0xa40 },
    { flags: 5, offset: 0xa40, address: 0x40_1a40, fileSize: 0x1000 },
    { flags: 6, offset: 0x1a40, address: 0x40_3a40, fileSize: 0x100 },
  ];
  const file = parse(elfImage([], { segments }));

  it('takes bytes of a segment exactly', () => {
    expect(file.fileOffsetToAddress(0)).toBe(0x40_0000);
    expect(file.fileOffsetToAddress(0xa3f)).toBe(0x40_0a3f);
    expect(file.fileOffsetToAddress(0xa40)).toBe(0x40_1a40);
    expect(file.fileOffsetToAddress(0x1a3f)).toBe(0x40_2a3f);
  });

  it('takes the rest of first and last pages along', () => {
    const code = parse(
      elfImage([], { segments: [{ flags: 5, offset: 0xa40, address: 0x40_1a40, fileSize: 0x100 }] }),
    );
    expect(code.fileOffsetToAddress(0)).toBe(0x40_1000);
    expect(code.fileOffsetToAddress(0xfff)).toBe(0x40_1fff);
    expect(code.fileOffsetToAddress(0x1000)).toBeUndefined();
  });

  it('allows for the largest page size of aarch64', () => {
    const code = parse(
      elfImage([], {
        machine: EM_AARCH64,
        segments: [{ flags: PF_X, offset: 0x1_2340, address: 0x2_2340, fileSize: 0x100 }],
      }),
    );
    expect(code.fileOffsetToAddress(0x1_0000)).toBe(0x2_0000);
    expect(code.fileOffsetToAddress(0xffff)).toBeUndefined();
  });
});

function note(size: number, claimed = size): Uint8Array {
  const bytes = new Uint8Array(16 + size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, claimed, true);
  view.setUint32(8, 3, true);
  bytes.set(new TextEncoder().encode('GNU'), 12);
  return bytes.fill(0xab, 16);
}

function idOf(bytes: Uint8Array): string | undefined {
  return parse(elfImage([{ name: '.note', type: SHT_NOTE, contents: bytes }])).buildId;
}

describe('ElfFile on unusual files', () => {
  const sections = [
    { name: '.data', type: SHT_PROGBITS, address: 0x1000, contents: new Uint8Array([1, 2, 3]) },
  ];

  it('resolves extended numbering', () => {
    const file = parse(
      elfImage(sections, { extendedNumbering: true, segments: [{ offset: 0, address: 0, fileSize: 64 }] }),
    );
    expect(file.sections.map((one) => one.name)).toEqual(['', '.data', '.shstrtab']);
    expect(file.segments).toHaveLength(1);
  });

  it('keeps the segments when the section table is broken, and says why it has no sections', () => {
    const bytes = elfImage(sections, { segments: [{ offset: 0, address: 0, fileSize: 64 }] });
    new DataView(bytes.buffer).setBigUint64(40, 1n << 40n, true);
    const file = parse(bytes);
    expect(file.segments).toHaveLength(1);
    expect(file.sections).toEqual([]);
    expect(file.sectionsProblem?.message).toMatch(/section header table lies at bytes/);
  });

  it('recognises compressed sections', () => {
    const file = parse(
      elfImage([{ name: '.debug', type: SHT_PROGBITS, flags: SHF_COMPRESSED, contents: new Uint8Array(9) }]),
    );
    const section = file.section('.debug');
    expect(() => section && file.bytes(section)).toThrow('section .debug is compressed');
  });

  it('ignores ids of impossible length and notes that run over their end', () => {
    expect(idOf(note(20))).toBe('ab'.repeat(20));
    expect(idOf(note(2))).toBeUndefined();
    expect(idOf(note(68))).toBeUndefined();
    expect(idOf(note(20, 0xffff_fff0))).toBeUndefined();
    expect(idOf(new Uint8Array(7))).toBeUndefined();
  });

  it('finds notes through program headers', () => {
    const bytes = elfImage([{ name: '.note', type: SHT_PROGBITS, contents: new Uint8Array(32) }], {
      segments: [{ type: PT_NOTE, offset: 128, address: 128, fileSize: 32 }],
    });
    bytes.set([4, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4e, 0x55, 0, 1, 2, 3, 4, 5, 6, 7, 8], 128);
    expect(parse(bytes).buildId).toBe('0102030405060708');
  });

  it.each([
    ['an empty file', () => new Uint8Array(0), /not an ELF file: 0 bytes/],
    ['text', () => new TextEncoder().encode('#!/bin/sh\n'.repeat(10)), /does not begin with 7f "ELF"/],
    ['32-bit ELF', () => elfImage([]).fill(1, 4, 5), /ELF class 1: only 64-bit/],
    ['big-endian ELF', () => elfImage([]).fill(2, 5, 6), /only little-endian/],
    ['an object file', () => elfImage([]).fill(1, 16, 17), /type 1 \(relocatable object\)/],
    ['RISC-V', () => elfImage([], { machine: 243 }), /machine 243 \(RISC-V\)/],
    [
      'a truncated program header table',
      () => elfImage([], { segments: [{ offset: 0, address: 0, fileSize: 1 }] }).slice(0, 100),
      /program header table lies at bytes 64 to 120/,
    ],
    [
      'addresses beyond 2^53',
      () => elfImage([], { segments: [{ offset: 0, address: 2 ** 60, fileSize: 1 }] }),
      /p_vaddr is 0x1000000000000000, beyond 2\^53/,
    ],
  ])('refuses %s with the reason', (_name, make, reason) => {
    expect(() => parse(make())).toThrow(ElfError);
    expect(() => parse(make())).toThrow(reason);
  });
});
