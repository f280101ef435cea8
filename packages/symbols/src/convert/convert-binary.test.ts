import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { bufferSource, compactElf, ElfFile } from '@fleetflame/elf';
import { GO_RELEASE, buildProgram, PROGRAMS } from '@fleetflame/elf/testing';
import { describe, expect, it } from 'vitest';
import type { SymbolTable } from '../symbol-table.ts';
import { decodeSymbolTable } from '../decode-symbol-table.ts';
import { convertBinary, type Conversion } from './convert-binary.ts';

async function convert(
  bytes: Uint8Array,
): Promise<{ readonly conversion: Conversion; readonly table: SymbolTable }> {
  const identity = ElfFile.parse(bufferSource(bytes)).identity ?? '';
  const conversion = await convertBinary(bufferSource(bytes), identity);
  return { conversion, table: await decodeSymbolTable(conversion.table) };
}

/** As an agent uploads it. */
async function convertUpload(
  path: string,
): Promise<{ readonly conversion: Conversion; readonly table: SymbolTable }> {
  return await convert(compactElf(bufferSource(readFileSync(path))));
}

interface Listed {
  readonly address: number;
  readonly size: number;
  readonly names: Set<string>;
}

/** What nm says of code, by address: all names there, and the largest size. */
function nm(path: string, ...flags: string[]): Map<number, Listed> {
  const text = execFileSync('nm', ['-S', ...flags, path], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const listed = new Map<number, Listed>();
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{16})(?: ([0-9a-f]{16}))? [tTwWi] (.+)$/.exec(line);
    if (match === null) continue;
    const address = Number.parseInt(match[1] ?? '', 16);
    const size = Number.parseInt(match[2] ?? '0', 16);
    const before = listed.get(address);
    const names = before?.names ?? new Set();
    names.add((match[3] ?? '').replace(/@.*/, ''));
    listed.set(address, { address, size: Math.max(size, before?.size ?? 0), names });
  }
  return listed;
}

/** Addresses whose name differs from nm's, at start, middle and end of each function with a size. */
function differences(table: SymbolTable, listed: Map<number, Listed>): string[] {
  const starts = [...listed.values()].filter((one) => one.size > 0).toSorted((a, b) => a.address - b.address);
  const wrong: string[] = [];
  starts.forEach(({ address, size, names }, index) => {
    const next = starts[index + 1]?.address ?? Number.MAX_SAFE_INTEGER;
    // Where another function begins inside of this one, that one owns what follows.
    const end = Math.min(address + size, next);
    for (const at of [address, Math.floor((address + end - 1) / 2), end - 1]) {
      const found = table.lookup(at);
      const name = found < 0 ? 'nothing' : table.systemName(found);
      if (!names.has(name)) wrong.push(`0x${at.toString(16)}: ${name} instead of ${[...names].join(' or ')}`);
    }
  });
  return wrong;
}

describe('convertBinary names what nm names', () => {
  it.each([
    ['a C program', () => buildProgram(PROGRAMS.c), 5],
    ['a C++ program', () => buildProgram(PROGRAMS.cpp), 10],
    ['a Go program', () => buildProgram(PROGRAMS.go), 1000],
    ['a position-independent Go program', () => buildProgram(PROGRAMS.goPie), 1000],
    ['a Go program linked with C', () => buildProgram(PROGRAMS.goExternal), 1000],
    ['node', () => process.execPath, 90_000],
  ])('of %s, at start, middle and end', async (_what, build, least) => {
    const path = build();
    const listed = nm(path);
    expect([...listed.values()].filter((one) => one.size > 0).length).toBeGreaterThan(least);
    const { conversion, table } = await convertUpload(path);
    expect(conversion.source).toBe('symtab');
    expect(conversion.warnings).toEqual([]);
    expect(differences(table, listed)).toEqual([]);
  });

  it('of a stripped C program: its exported functions', async () => {
    const path = buildProgram(PROGRAMS.cStripped);
    const listed = nm(path, '-D');
    expect([...listed.values()].flatMap((one) => [...one.names])).toContain('global_function');
    const { conversion, table } = await convertUpload(path);
    expect(conversion.source).toBe('dynsym');
    expect(differences(table, listed)).toEqual([]);
  });

  it('the same from the whole file as from what is uploaded', async () => {
    for (const program of [PROGRAMS.cpp, PROGRAMS.goExternalPieStripped]) {
      const path = buildProgram(program);
      const whole = await convert(readFileSync(path));
      const upload = await convertUpload(path);
      expect(upload.conversion.table).toEqual(whole.conversion.table);
    }
  });
});

describe('convertBinary', () => {
  it('shows C++ names demangled and keeps the mangled ones', async () => {
    const { table } = await convertUpload(buildProgram(PROGRAMS.cpp));
    const names = new Map(
      Array.from({ length: table.size }, (_, index) => [table.systemName(index), table.name(index)]),
    );
    const add = [...names].find(([system]) => system.includes('6BasketI') && system.includes('3add'));
    expect(add?.[1]).toMatch(/^shop::cart::Basket<std::.*string.*>::add\(std::.*string.* const&\)$/);
    expect(names.get('main')).toBe('main');
    expect([...names.values()]).toContain(
      'shop::cart::(anonymous namespace)::hidden(shop::cart::Order const&)',
    );
  });

  it('names assembly code, resolvers and PLT entries of C', async () => {
    const path = buildProgram(PROGRAMS.c);
    const { table } = await convertUpload(path);
    const all = Array.from({ length: table.size }, (_, index) => table.name(index));
    expect(all).toContain('asm_function');
    expect(all).toContain('chosen_function');
    const libc = execFileSync('gcc', ['-print-file-name=libc.so.6'], { encoding: 'utf8' }).trim();
    expect((await convertUpload(libc)).table.size).toBeGreaterThan(1500);
  });

  it('names PLT entries as the disassembler does', async () => {
    const path = buildProgram(PROGRAMS.cpp);
    const listing = execFileSync('objdump', ['-d', '-j', '.plt', path], { encoding: 'utf8' });
    const stubs = [...listing.matchAll(/^([0-9a-f]{16}) <(\S+?)(?:@.*)?@plt>:$/gm)].filter(
      (one) => !one[2]?.includes('@'),
    );
    expect(stubs.length).toBeGreaterThan(5);
    const { table } = await convertUpload(path);
    for (const [, address, name] of stubs) {
      expect(table.systemName(table.lookup(Number.parseInt(address ?? '', 16) + 4))).toBe(`${name}@plt`);
    }
  });

  it('refuses a file that is not the one announced', async () => {
    const source = bufferSource(readFileSync(buildProgram(PROGRAMS.c)));
    await expect(convertBinary(source, '0123456789abcdef')).rejects.toThrow(
      /uploaded for 0123456789abcdef: not the same/,
    );
  });

  it('gives an empty table and the reason for a binary without symbols', async () => {
    const bytes = new Uint8Array(readFileSync(buildProgram(PROGRAMS.c)));
    bytes.fill(0, 40, 48);
    bytes.fill(0, 58, 64);
    const { conversion, table } = await convert(bytes);
    expect(conversion).toMatchObject({ symbols: 0, source: 'none' });
    expect(table.lookup(0x1000)).toBe(-1);
  });
});

/** Go's table leaves out the ABI and, in older releases, what type arguments stand for. */
function isInGoTable(name: string, inTable: string): boolean {
  const plain = name.replace(/\.abi(?:0|internal)$/, '');
  const table = inTable.replace('·', '.');
  return table === plain || table === plain.replace(/\[.*\]/, '[...]');
}

/** Go's table has the line of a function's head since. */
const HEADS_SINCE = 20;

const STRIPPED_GO = {
  'with sections': [PROGRAMS.goStripped, PROGRAMS.go],
  'position-independent': [PROGRAMS.goPieStripped, PROGRAMS.goPie],
} as const;

describe('convertBinary of stripped Go programs', () => {
  it.each(Object.entries(STRIPPED_GO))(
    'finds the names that the symbol table had: %s',
    async (_what, [stripped, whole]) => {
      const { conversion, table } = await convertUpload(buildProgram(stripped));
      expect(conversion.source).toBe('gopclntab');
      const listed = nm(buildProgram(whole));
      // The text is the same; runtime.text and such are marks, not functions.
      const functions = [...listed.values()].filter((one) => one.size > 0);
      expect(functions.length).toBeGreaterThan(1000);
      const wrong = functions.flatMap(({ address, names }) => {
        const name = table.systemName(table.lookup(address));
        return [...names].some((one) => isInGoTable(one, name))
          ? []
          : [`${name} instead of ${[...names].join(' or ')}`];
      });
      expect(wrong).toEqual([]);
      // What people see does not depend on whether the program was stripped.
      const unstripped = (await convertUpload(buildProgram(whole))).table;
      const shown = (from: SymbolTable) => functions.map(({ address }) => from.name(from.lookup(address)));
      expect(shown(unstripped)).toEqual(shown(table));
    },
  );

  it.each([
    ['with sections', PROGRAMS.goStripped],
    ['position-independent, linked with C, without section headers', PROGRAMS.goExternalPieStripped],
  ])('gives file and line of functions: %s', async (what, program) => {
    const bytes = new Uint8Array(readFileSync(buildProgram(program)));
    if (what.includes('without section')) {
      bytes.fill(0, 40, 48);
      bytes.fill(0, 58, 64);
    }
    const { table } = await convert(compactElf(bufferSource(bytes)));
    expect(table.size).toBeGreaterThan(1000);
    const main = Array.from({ length: table.size }, (_, index) => index).filter((index) =>
      table.name(index).startsWith('main.'),
    );
    expect(main.map((index) => table.name(index).replace(/\[.*\]/, '[...]'))).toEqual(
      expect.arrayContaining(['main.main', 'main.handle', 'main.(*stack[...]).push']),
    );
    const start = main.find((index) => table.name(index) === 'main.main') ?? -1;
    expect([table.file(start), table.line(start)]).toEqual(['example.test/shop/main.go', 22]);
  });

  it('agrees with addr2line on every function', async () => {
    const path = buildProgram(PROGRAMS.goStripped);
    const { table } = await convertUpload(path);
    const { base, starts, functions } = table.columns;
    const input = Array.from(starts, (start) => `0x${(base + start).toString(16)}`).join('\n');
    const answer = execFileSync('go', ['tool', 'addr2line', buildProgram(PROGRAMS.go)], {
      input: `${input}\n`,
      encoding: 'utf8',
    });
    const lines = answer.trim().split('\n');
    const wrong = Array.from(functions).flatMap((index, range) => {
      const [, file, line] = /^(.*):(-?\d+)$/.exec(lines[range * 2 + 1] ?? '') ?? [];
      const expected = `${lines[range * 2]} ${file}`;
      const found = `${table.name(index)} ${table.file(index)}`;
      // The line of the first instruction, which is below the function's head; the table has the head since Go 1.20.
      const near =
        GO_RELEASE < HEADS_SINCE
          ? table.line(index) === Number(line)
          : table.line(index) <= Math.max(0, Number(line));
      return found === expected.replace(/\?$/, '') && near
        ? []
        : [`${found}:${table.line(index)} instead of ${expected}:${line}`];
    });
    expect(wrong).toEqual([]);
  });
});
