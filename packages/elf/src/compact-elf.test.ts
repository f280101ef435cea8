import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bufferSource } from './byte-source.ts';
import { compactElf } from './compact-elf.ts';
import { SHT_NOTE } from './constants.ts';
import { ElfError } from './elf-error.ts';
import { ElfFile } from './elf-file.ts';
import { findGoPclntab } from './go-pclntab.ts';
import { buildProgram, elfImage, PROGRAMS } from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'fleetflame-compact-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function compactFile(path: string): { readonly bytes: Uint8Array; readonly path: string } {
  const bytes = compactElf(bufferSource(readFileSync(path)));
  const out = join(folder, 'compact');
  writeFileSync(out, bytes);
  return { bytes, path: out };
}

/** "value size name" of each symbol, without versions, which are not kept. */
function symbols(path: string): string[] {
  return execFileSync('readelf', ['-sW', path], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
    .split('\n')
    .filter((line) => /^\s*\d+: [0-9a-f]{16}/.test(line))
    .map((line) => line.replaceAll(/@\S+( \(\d+\))?/g, '').trim());
}

const PATHS = [
  '/bin/sh',
  '/usr/bin/env',
  process.execPath,
  ...Object.values(PROGRAMS).map((program) => buildProgram(program)),
];

describe('compactElf', () => {
  it.each(PATHS)('keeps symbols, ids and addresses of %s, and readelf reads the result', (path) => {
    const whole = ElfFile.parse(bufferSource(readFileSync(path)));
    const compact = compactFile(path);
    const file = ElfFile.parse(bufferSource(compact.bytes));
    expect(file.identity).toBe(whole.identity);
    expect(file.goBuildId).toBe(whole.goBuildId);
    // The names are written anew.
    const described = (one: ElfFile) =>
      one.sections
        .slice(0, whole.sections.length)
        .map(({ name, address, size }) => [name, address, name === '.shstrtab' ? 0 : size]);
    expect(described(file)).toEqual(described(whole));
    for (const offset of [0, 0x1000, 0x1234, 0x5000]) {
      expect(file.fileOffsetToAddress(offset)).toBe(whole.fileOffsetToAddress(offset));
    }
    expect(symbols(compact.path)).toEqual(symbols(path));
    expect(findGoPclntab(file)).toEqual(findGoPclntab(whole));
    expect(compact.bytes.length).toBeLessThan(readFileSync(path).length * 0.6);
  });

  it('is the same again when it is cut down again', () => {
    const once = compactFile(buildProgram(PROGRAMS.goExternalPieStripped)).bytes;
    expect(compactElf(bufferSource(once))).toEqual(once);
  });

  it('makes a section of the function table that a Go program without one has', () => {
    const { bytes } = compactFile(buildProgram(PROGRAMS.goExternalPieStripped));
    expect(ElfFile.parse(bufferSource(bytes)).section('.gopclntab')?.size).toBeGreaterThan(100_000);
  });

  it('finds the same table of a Go program without section headers', () => {
    for (const program of [PROGRAMS.goStripped, PROGRAMS.goPieStripped, PROGRAMS.goExternalPieStripped]) {
      const whole = readFileSync(buildProgram(program));
      const bare = new Uint8Array(whole);
      bare.fill(0, 40, 48);
      bare.fill(0, 58, 64);
      const before = findGoPclntab(ElfFile.parse(bufferSource(whole)));
      const after = findGoPclntab(ElfFile.parse(bufferSource(compactElf(bufferSource(bare)))));
      expect(after?.address).toBe(before?.address);
      // Since Go 1.26 the section has more behind the table; without sections its last record ends it.
      expect(after?.bytes.length).toBeGreaterThan(100_000);
      const bytes = after?.bytes ?? new Uint8Array();
      expect(Buffer.from(bytes).equals(before?.bytes.subarray(0, bytes.length) ?? new Uint8Array())).toBe(
        true,
      );
    }
  });

  it('stamps an id on a file that has none, and only then', () => {
    const id = '00112233445566778899aabbccddeeff';
    const without = compactElf(bufferSource(readFileSync(buildProgram(PROGRAMS.cWithoutId))), {
      identity: id,
    });
    expect(ElfFile.parse(bufferSource(without)).identity).toBe(id);
    const own = readFileSync(buildProgram(PROGRAMS.c));
    const identity = ElfFile.parse(bufferSource(own)).identity;
    expect(ElfFile.parse(bufferSource(compactElf(bufferSource(own), { identity: id }))).identity).toBe(
      identity,
    );
    expect(() => compactElf(bufferSource(elfImage([])), { identity: 'nothex' })).toThrow(
      'not 8 to 128 lower-case hex',
    );
  });

  it('refuses results over the limit', () => {
    const source = bufferSource(readFileSync(buildProgram(PROGRAMS.c)));
    expect(() => compactElf(source, { maxBytes: 1000 })).toThrow(ElfError);
  });

  it('refuses headers that claim the same bytes again and again', () => {
    const contents = new Uint8Array(100_000);
    const bytes = elfImage(
      Array.from({ length: 200 }, (_, index) => ({
        name: `.n${index}`,
        type: SHT_NOTE,
        flags: 2,
        contents: index === 0 ? contents : new Uint8Array(0),
      })),
    );
    const view = new DataView(bytes.buffer);
    const table = Number(view.getBigUint64(40, true));
    for (let index = 2; index <= 200; index++) {
      bytes.copyWithin(table + index * 64 + 24, table + 64 + 24, table + 64 + 40);
    }
    expect(() => compactElf(bufferSource(bytes))).toThrow(/this binary is not uploaded/);
  });
});
