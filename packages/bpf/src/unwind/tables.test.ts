import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { compareRows } from './testing/compare-rows.ts';
import { ourRows } from './testing/our-rows.ts';
import { buildTool } from './testing/tool.ts';

const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
/** Programs that are there on any Debian, and some of which one or the other is. */
const SYSTEM = [`${LIBRARIES}/libc.so.6`, '/lib64/ld-linux-x86-64.so.2', '/usr/bin/bash', '/usr/bin/perl'];
const OPTIONAL = [
  `${LIBRARIES}/libstdc++.so.6`,
  `${LIBRARIES}/libm.so.6`,
  `${LIBRARIES}/libgcc_s.so.1`,
  `${LIBRARIES}/libcrypto.so.3`,
  `${LIBRARIES}/libgmp.so.10`,
  '/usr/bin/python3',
  '/usr/bin/openssl',
  '/usr/lib/postgresql/15/bin/postgres',
];
/** Exceptions that the README of bench/unwind-tables explains. */
const EXPLAINED = new Set([
  'unsupported:stack_pointer',
  'rbx is saved where no rule can say',
  'rbp is saved where no rule can say',
]);

const GO_EXPLAINED = new Set([
  'a stack of Go begins or is changed, known by the function',
  'Go returns to the first byte of a function',
  'signal return known by its code',
]);

/** Without a search table: the linker refuses to make one of descriptions that overlap. */
const LIBRARY = ['-shared', '-nostdlib', '-Wl,--no-eh-frame-hdr'];

let directory = '';
let tool = '';

const program = (name: string): string => fileURLToPath(new URL(`testing/programs/${name}`, import.meta.url));

function compile(name: string, source: string, options: readonly string[]): string {
  const output = `${directory}/${name}`;
  execFileSync('gcc', [...options, program(source), '-o', output], { stdio: 'inherit' });
  return output;
}

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-unwind-`);
  tool = buildTool('dump-rows', directory);
}, 180_000);

afterAll(() => rmSync(directory, { recursive: true }));

async function result(path: string, ...extra: string[]): Promise<string> {
  return (await ourRows(tool, path, extra)).summary.result;
}

async function expectEqualRows(path: string): Promise<Readonly<Record<string, number>>> {
  const comparison = await compareRows(tool, path);
  expect(comparison.differences).toEqual([]);
  expect(comparison.compared).toBeGreaterThan(0);
  return comparison.exceptions;
}

describe('rows equal what readelf prints, at every address', () => {
  it.each(SYSTEM)('of %s', { timeout: 120_000 }, async (path) => {
    const exceptions = await expectEqualRows(path);
    expect(Object.keys(exceptions).filter((name) => !EXPLAINED.has(name))).toEqual([]);
  });

  it.each(OPTIONAL.filter((path) => existsSync(path)))('of %s', { timeout: 120_000 }, async (path) => {
    const exceptions = await expectEqualRows(path);
    expect(Object.keys(exceptions).filter((name) => !EXPLAINED.has(name))).toEqual([]);
  });

  it('of a Node.js with 100,000 functions', { timeout: 240_000 }, async () => {
    expect(await expectEqualRows(realpathSync(process.execPath))).toBeDefined();
  });

  it('of realigned and of large stack frames', async () => {
    const path = compile('stacks', 'stacks.c', ['-O2', '-mavx2']);
    expect(Object.keys(await expectEqualRows(path))).toEqual(['rbx is saved where no rule can say']);
    const { rows } = await ourRows(tool, path);
    const texts = rows.texts.join('\n');
    expect(texts).toMatch(/^r10\+0 /m);
    expect(texts).toMatch(/^\*\(rbp-\d+\)\+0 rbp=\*\(rbp\+0\)/m);
    expect(texts).toMatch(/^rsp\+200\d\d\d /m);
  });

  it('of every call frame instruction', async () => {
    const path = compile('frames.so', 'frames.s', LIBRARY);
    expect(await expectEqualRows(path)).toEqual({
      'rbx is saved where no rule can say': expect.any(Number),
      'readelf cuts offsets to 32 bits': 1,
      'signal return known by its code': 1,
      'unsupported:cfa_expression': 1,
      'unsupported:offset_too_wide': 1,
      'unsupported:stack_pointer': 1,
    });
    const { rows } = await ourRows(tool, path);
    expect(rows.texts).toContain('*(rsp+8+8*r9)+8 rbp=s rbx=s ra=c-8');
    expect(rows.texts).toContain('rsp+64 rbp=s rbx=s ra=c-8 exact');
    expect(rows.texts).toContain('rsp+0 rbp=s rbx=s ra=rdi');
  });

  it.each([
    ['not compressed', 'none'],
    ['compressed', 'zlib'],
    ['compressed in the old way', 'zlib-gnu'],
  ])('of a .debug_frame that is %s', async (name, compression) => {
    const options = [
      '-g',
      '-O2',
      '-fno-asynchronous-unwind-tables',
      '-fno-unwind-tables',
      '-nostartfiles',
      '-e',
      'main',
    ];
    const path = compile(`debug-${compression}`, 'stacks.c', [
      ...options,
      `-Wl,--compress-debug-sections=${compression}`,
    ]);
    await expectEqualRows(path);
    const { summary } = await ourRows(tool, path);
    expect(summary['debugFrameFunctions'], name).toBe(4);
  });

  it('of a Go program, by the table that its runtime uses, and without what is for debuggers', async () => {
    const source = fileURLToPath(new URL('../testing/programs/busy.go', import.meta.url));
    const build = (name: string, ...options: string[]): string => {
      execFileSync('go', ['build', ...options, '-o', `${directory}/${name}`, source], { stdio: 'inherit' });
      return `${directory}/${name}`;
    };
    const whole = build('go');
    const exceptions = await expectEqualRows(whole);
    expect(Object.keys(exceptions).filter((name) => !GO_EXPLAINED.has(name))).toEqual([]);
    // A dozen functions, with a range for each of their depths.
    expect(Object.values(exceptions).reduce((sum, ranges) => sum + ranges, 0)).toBeLessThan(80);
    const { rows, summary } = await ourRows(tool, whole);
    expect(summary['goFunctions']).toBeGreaterThan(1000);
    const stripped = await ourRows(tool, build('go-stripped', '-ldflags=-s -w'));
    expect([...stripped.rows.texts]).toEqual([...rows.texts]);
    expect([...stripped.rows.starts]).toEqual([...rows.starts]);
  });

  it('of the vDSO, read from memory', async () => {
    const path = `${directory}/vdso.so`;
    const fromMemory = await ourRows(tool, path, ['--write-vdso', path]);
    await expectEqualRows(path);
    expect(fromMemory.rows.texts).toEqual((await ourRows(tool, path)).rows.texts);
  });
});

/** Offsets in an ELF header of 64 bits. */
const SECTIONS_AT = 40;
const SECTION_COUNT_AT = 60;

describe('a file without section headers', () => {
  it('gives the same table, through PT_GNU_EH_FRAME', async () => {
    const whole = '/usr/bin/bash';
    const bytes = readFileSync(whole);
    bytes.writeBigUInt64LE(0n, SECTIONS_AT);
    bytes.writeUInt32LE(0, SECTION_COUNT_AT);
    const stripped = `${directory}/sectionless`;
    writeFileSync(stripped, bytes);
    const [expected, found] = [await ourRows(tool, whole), await ourRows(tool, stripped)];
    expect(found.rows).toEqual(expected.rows);
    expect(found.rows.length).toBeGreaterThan(1000);
  });
});

describe('a separate debug file', () => {
  it('describes a binary that has no frames of its own', async () => {
    const options = [
      '-g',
      '-O2',
      '-fno-asynchronous-unwind-tables',
      '-fno-unwind-tables',
      '-nostartfiles',
      '-e',
      'main',
    ];
    const whole = compile('separate', 'stacks.c', options);
    const [stripped, debug] = [`${whole}.stripped`, `${whole}.debug`];
    execFileSync('objcopy', ['--strip-all', whole, stripped]);
    execFileSync('objcopy', ['--only-keep-debug', whole, debug]);
    expect((await ourRows(tool, stripped)).summary.result).toBe('no_frames');
    const { rows, summary } = await ourRows(tool, stripped, ['--debug', debug]);
    expect(summary.result).toBe('none');
    expect(rows).toEqual((await ourRows(tool, whole)).rows);
  });
});

describe('what cannot have a table', () => {
  it('is refused with a reason', async () => {
    const text = `${directory}/text`;
    writeFileSync(text, 'no ELF file\n');
    const object = compile('object.o', 'stacks.c', ['-c']);
    expect(await result(text)).toBe('not_elf');
    expect(await result('/nowhere')).toBe('not_elf');
    expect(await result(object)).toBe('not_loadable');
    expect(await result('/usr/bin/bash', '--max-rows', '1000')).toBe('too_many_rows');
    expect(await result('/usr/bin/bash', '--max-functions', '100')).toBe('too_many_functions');
    expect(await result('/usr/bin/bash', '--max-bytes', '5000')).toBe('too_many_bytes');
  });

  it('is a .debug_frame that would inflate to more than the limit', async () => {
    const options = [
      '-g',
      '-O2',
      '-fno-asynchronous-unwind-tables',
      '-fno-unwind-tables',
      '-nostartfiles',
      '-e',
      'main',
    ];
    const path = compile('bomb', 'stacks.c', [...options, '-Wl,--compress-debug-sections=zlib']);
    const { summary } = await ourRows(tool, path, ['--max-inflated', '64']);
    expect(summary.result).toBe('no_frames');
    expect(summary['damagedSections']).toBe(1);
  });
});

describe('the cache', () => {
  const ID = '00aa11bb22cc33dd44ee55ff66770088';

  it('gives back the table that was put in', async () => {
    const path = '/usr/bin/bash';
    const written = await ourRows(tool, path, ['--build-id', ID, '--write-cache', directory]);
    const read = await ourRows(tool, path, ['--build-id', ID, '--read-cache', directory]);
    expect(read.rows).toEqual(written.rows);
    expect(read.summary.bytes).toBe(written.summary.bytes);
  });

  it('does not believe a damaged, cut or foreign file', async () => {
    const path = compile('small.so', 'frames.s', LIBRARY);
    await ourRows(tool, path, ['--build-id', ID, '--write-cache', directory]);
    const file = `${directory}/${ID}.unwind`;
    const whole = readFileSync(file);
    const read = async (): Promise<string> =>
      (await ourRows(tool, path, ['--rows', '0', '--build-id', ID, '--read-cache', directory])).summary
        .result;
    expect(await read()).toBe('none');
    const step = Math.max(1, Math.floor(whole.length / 60));
    for (let at = 0; at < whole.length; at += step) {
      const damaged = Buffer.from(whole);
      damaged[at] = damaged[at]! ^ 1;
      writeFileSync(file, damaged);
      expect(await read(), `byte ${at}`).toBe('no_cache_file');
    }
    writeFileSync(file, whole.subarray(0, -1));
    expect(await read()).toBe('no_cache_file');
    const other = ID.replace('00', '01');
    writeFileSync(`${directory}/${other}.unwind`, whole);
    const foreign = await ourRows(tool, path, ['--build-id', other, '--read-cache', directory]);
    expect(foreign.summary.result).toBe('no_cache_file');
    const escape = await ourRows(tool, path, [
      '--build-id',
      `../${basename(directory)}/${ID}`,
      '--read-cache',
      directory,
    ]);
    expect(escape.summary.result).toBe('no_cache_file');
  });
});
