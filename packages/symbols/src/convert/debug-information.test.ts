import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testSeed } from '@fleetflame/testing';
import { afterAll, describe, expect, it } from 'vitest';
import {
  compareChains,
  buildDebugProgram,
  debugTable,
  DIFFERENCES,
  elfutilsChains,
  llvmChains,
  ownChain,
  randomAddresses,
} from '../testing/index.ts';
import type { SymbolTable } from '../symbol-table.ts';

const folder = mkdtempSync(join(tmpdir(), 'fleetflame-debug-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ADDRESSES = 300;

/** A changed copy of a program, made with a tool that takes the file as its last argument. */
function changed(path: string, name: string, command: string, ...args: string[]): string {
  const copy = join(folder, name);
  copyFileSync(path, copy);
  execFileSync(command, [...args, copy], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  return copy;
}

function script(name: string, text: string): string {
  const command = join(folder, name);
  writeFileSync(command, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return command;
}

function indexOf(table: SymbolTable, name: string): number {
  for (let fn = 0; fn < table.size; fn++) if (table.name(fn) === name) return fn;
  throw new Error(`no function ${name}`);
}

/** The chain of each address of a function, as "name:line < name:line", without repeats. */
function chainsOf(table: SymbolTable, name: string): Set<string> {
  const fn = indexOf(table, name);
  const { base, starts, lengths, functions } = table.columns;
  const chains = new Set<string>();
  for (let range = 0; range < starts.length; range++) {
    if (functions[range] !== fn) continue;
    for (let at = 0; at < (lengths[range] ?? 0); at++) {
      const chain = ownChain(table, base + (starts[range] ?? 0) + at);
      chains.add(chain.map((one) => `${one.name}:${one.line}`).join(' < '));
    }
  }
  return chains;
}

describe('functions, files, lines and inlined calls', () => {
  it.each([
    'gcc, DWARF 5',
    'gcc, DWARF 4',
    'gcc, LTO',
    'clang, DWARF 5',
    'clang, DWARF 4, type units',
  ] as const)('are those of llvm-symbolizer: %s', async (name) => {
    const path = buildDebugProgram(name);
    const { conversion, table } = await debugTable(path);
    expect(conversion).toMatchObject({ source: 'dwarf', problem: '', warnings: [] });
    const seed = testSeed();
    const addresses = randomAddresses(table, ADDRESSES, seed);
    const { counts, examples } = compareChains(table, path, addresses, llvmChains(path, addresses));
    expect(examples, `seed ${seed}`).toEqual([]);
    expect(counts.equal, `seed ${seed}`).toBeGreaterThan(ADDRESSES * 0.8);
  });

  it("of libc's separate debug file are those of two other tools", async () => {
    const libc = /\/\S*libc\.so\.6/.exec(execFileSync('ldd', ['/bin/sh'], { encoding: 'utf8' }))?.[0] ?? '';
    const notes = execFileSync('readelf', ['-nW', libc], { encoding: 'utf8' });
    const buildId = /Build ID: ([0-9a-f]+)/.exec(notes)?.[1] ?? '';
    const path = `/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
    const { conversion, table } = await debugTable(path);
    expect(conversion).toMatchObject({ source: 'dwarf', problem: '' });
    expect(conversion.inlines).toBeGreaterThan(1000);
    const seed = testSeed();
    const addresses = randomAddresses(table, 1000, seed);
    const llvm = compareChains(table, path, addresses, llvmChains(path, addresses));
    expect(llvm.examples, `seed ${seed}`).toEqual([]);
    // elfutils leaves calls out of a few chains which LLVM and this table have.
    const elfutils = compareChains(table, path, addresses, elfutilsChains(path, addresses));
    const different = DIFFERENCES.reduce((sum, one) => sum + elfutils.counts[one], 0);
    expect(different, `seed ${seed}\n${elfutils.examples.join('\n')}`).toBeLessThan(20);
  });

  it.each(['zlib', 'zstd'])('are the same from sections compressed with %s', async (how) => {
    const path = buildDebugProgram('gcc, DWARF 5');
    const packed = changed(path, how, 'objcopy', `--compress-debug-sections=${how}`);
    const plain = await debugTable(path);
    const { conversion } = await debugTable(packed);
    expect(conversion.source).toBe('dwarf');
    expect(Buffer.from(conversion.table).equals(plain.conversion.table)).toBe(true);
  });

  it('are the same from a debug file without code, except for what only the code file has', async () => {
    const path = buildDebugProgram('gcc, DWARF 4');
    const only = changed(path, 'only.debug', 'objcopy', '--only-keep-debug');
    const [whole, debug] = [await debugTable(path), await debugTable(only)];
    expect(debug.conversion).toMatchObject({ source: 'dwarf', problem: '', warnings: [] });
    const addresses = randomAddresses(debug.table, 200, 1).filter(
      (address) => !ownChain(whole.table, address)[0]?.name.endsWith('@plt'),
    );
    expect(addresses.length).toBeGreaterThan(150);
    expect(addresses.map((address) => ownChain(debug.table, address))).toEqual(
      addresses.map((address) => ownChain(whole.table, address)),
    );
  });

  it('nest as the source does', async () => {
    const { table } = await debugTable(buildDebugProgram('clang, DWARF 5'));
    const chains = [...chainsOf(table, 'shop::Fruit::price(int) const')];
    const text = execFileSync('c++filt', { input: chains.join('\n'), encoding: 'utf8' });
    // price() calls clamp() on line 26 of shapes.h.
    expect(text).toMatch(/^shop::Range<int>::clamp\(int\) const:15 < shop::Fruit::price\(int\) const:26$/m);
  });

  it('show constructors without a linkage name with their class', async () => {
    const { table } = await debugTable(buildDebugProgram('gcc, DWARF 5'));
    const names = Array.from({ length: table.size }, (_, fn) => table.name(fn));
    const lambdas = names.filter(
      (name) => name.startsWith('main(int, char**)::') || name.startsWith('main::'),
    );
    expect(lambdas.some((name) => name.includes('operator()'))).toBe(true);
  });

  it('take names from a supplementary file, and say when it is missing', async () => {
    const path = buildDebugProgram('gcc, DWARF 4');
    const plain = await debugTable(path);
    // dwz moves what two files have in common into a third.
    const files = ['one', 'two'].map((name) => join(folder, name));
    for (const file of files) copyFileSync(path, file);
    execFileSync('dwz', ['-m', join(folder, 'common'), ...files], { cwd: folder });
    const [one = ''] = files;
    const without = await debugTable(one);
    expect(without.conversion.missingSupplement?.buildId).toMatch(/^[0-9a-f]{40}$/);
    expect(without.conversion.problem).toMatch(
      /names are in the supplementary file [0-9a-f]{40} \(.*common\)/,
    );
    const supplement = join(folder, 'common');
    const { conversion, table } = await debugTable(one, { supplement });
    expect(conversion).toMatchObject({ missingSupplement: undefined, problem: '', warnings: [] });
    for (const address of randomAddresses(plain.table, 300, 1)) {
      expect(ownChain(table, address)).toEqual(ownChain(plain.table, address));
    }
    // Another file than the link names is not used.
    const wrong = await debugTable(one, { supplement: path });
    expect(wrong.conversion.missingSupplement).toEqual(without.conversion.missingSupplement);
  });

  it('say that .dwo files are missing, and keep the lines', async () => {
    writeFileSync(
      join(folder, 'split.c'),
      'static int in(int n) { return n * 3; }\nint main(int n) {\n  return in(n) + 1;\n}\n',
    );
    execFileSync('gcc', ['-O2', '-g', '-gsplit-dwarf', '-Wl,--build-id', 'split.c', '-o', 'split'], {
      cwd: folder,
    });
    expect(readdirSync(folder).some((name) => name.endsWith('.dwo'))).toBe(true);
    const { conversion, table } = await debugTable(join(folder, 'split'));
    expect(conversion.problem).toMatch(/1 of 1 units keep their inlined calls in \.dwo files/);
    expect([...chainsOf(table, 'main')].every((chain) => /^main:[0-4]$/.test(chain))).toBe(true);
  });
});

describe('what reads debug information', () => {
  const path = buildDebugProgram('gcc, DWARF 5');

  it.each([
    ['is not there', { command: '/nowhere/debug-lines' }, /cannot be started .*libdw-dev.*ENOENT/],
    ['crashes', { command: script('crashing', 'kill -SEGV $$') }, /ended by SIGSEGV/],
    ['writes rubbish', { command: script('rubbish', 'head -c 9999 /dev/zero') }, /no header/],
    ['writes a part', { command: script('part', 'exec /bin/true') }, /status 0, cut off/],
    [
      'never ends',
      { command: script('hanging', 'exec sleep 600'), limits: { wallMs: 300 } },
      /longer than 0.3 s/,
    ],
    ['takes too much memory', { limits: { memoryMb: 4 } }, /memory/],
    ['finds too much', { limits: { outputBytes: 1000 } }, /take \d+ bytes, more than 1000/],
    ['gets too large a file', { limits: { fileBytes: 1000 } }, /of at most 1000/],
  ] as const)('%s: the symbols stay, and the reason is said', async (_what, options, reason) => {
    const { conversion, table } = await debugTable(path, { options });
    expect(conversion).toMatchObject({ source: 'symtab', lineRows: 0, inlines: 0 });
    expect(conversion.problem).toMatch(/^lines and inlined calls are missing: /);
    expect(conversion.problem).toMatch(reason);
    expect(table.name(table.lookup(table.columns.base + (table.columns.starts[0] ?? 0)))).not.toBe('');
  });

  it('is stopped when it takes too much CPU time', async () => {
    const spinning = script('spinning', 'ulimit -t 1; while :; do :; done');
    const { conversion } = await debugTable(path, { options: { command: spinning } });
    expect(conversion.problem).toMatch(/of CPU time|SIGKILL/);
  });

  it('opens no files, however the debug information asks for them', async () => {
    writeFileSync(join(folder, 'dwo.c'), 'int main(void) { return 0; }\n');
    execFileSync('gcc', ['-g', '-gsplit-dwarf', '-Wl,--build-id', 'dwo.c', '-o', 'dwo'], { cwd: folder });
    // The .dwo is where the file says it is, and readable: libdw would take it.
    const { conversion } = await debugTable(join(folder, 'dwo'));
    expect(conversion.problem).toMatch(/1 of 1 units/);
  });
});
