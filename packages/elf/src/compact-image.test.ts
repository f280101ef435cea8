import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bufferSource, type ByteSource } from './byte-source.ts';
import { CompactImage, type CompactOptions } from './compact-image.ts';
import { readDebugAltLink, readDebugLink } from './debug-links.ts';
import { ElfFile } from './elf-file.ts';
import { crc32 } from 'node:zlib';
import { buildProgram, elfImage, PROGRAMS, splitDebug } from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'fleetflame-image-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const whole = buildProgram(PROGRAMS.c);

function imageOf(path: string, options: CompactOptions = {}): CompactImage {
  return new CompactImage(bufferSource(readFileSync(path)), options);
}

function layout(path: string, options: CompactOptions = {}): string {
  return Buffer.from(imageOf(path, options).layout()).toString('hex');
}

/** Where segments lie; but for notes, which move. */
function segments(file: ElfFile): number[][] {
  return file.segments.filter(({ type }) => type !== 4).map(({ offset, address }) => [offset, address]);
}

function save(image: CompactImage, name: string): string {
  const path = join(folder, name);
  writeFileSync(path, image.read(0, image.size));
  return path;
}

/** function and file:line of every call, inlined ones too, at every fourth address of the code. */
function lines(path: string): string {
  const file = ElfFile.parse(bufferSource(readFileSync(path)));
  const text = file.section('.text');
  if (text === undefined) throw new Error('no .text');
  const addresses = Array.from({ length: text.size >> 2 }, (_, index) =>
    (text.address + index * 4).toString(16),
  );
  return execFileSync('addr2line', ['-i', '-f', '-e', path], {
    input: addresses.join('\n'),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
}

function symbols(path: string, flag: string): string[] {
  return execFileSync('nm', [flag, path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(
    '\n',
  );
}

describe('CompactImage', () => {
  it('with debug sections: addr2line says the same at every address', () => {
    const image = imageOf(whole, { debugSections: true });
    expect(image.quality).toBe('dwarf');
    expect(image.debugBytes).toBeGreaterThan(500);
    expect(image.size).toBeLessThan(statSync(whole).size);
    const out = save(image, 'debug');
    expect(lines(out)).toBe(lines(whole));
    expect(lines(whole)).toContain('main.c:4');
  });

  it('without debug sections it is smaller and says what is left', () => {
    expect(imageOf(whole).quality).toBe('symtab');
    expect(imageOf(whole).debugBytes).toBe(0);
    expect(imageOf(whole).size).toBeLessThan(imageOf(whole, { debugSections: true }).size);
    expect(imageOf(buildProgram(PROGRAMS.cStripped)).quality).toBe('dynsym');
    expect(imageOf(buildProgram(PROGRAMS.goStripped)).quality).toBe('symtab');
    expect(new CompactImage(bufferSource(elfImage([]))).quality).toBe('none');
  });

  it('reads the same in parts of any size', () => {
    const image = imageOf(buildProgram(PROGRAMS.goExternalPieStripped), { debugSections: true });
    const all = Buffer.from(image.read(0, image.size));
    for (const size of [1, 7, 4096, 100_003]) {
      const from = size === 1 ? image.size - 5000 : 0;
      const parts: Uint8Array[] = [];
      for (let at = from; at < image.size; at += size) parts.push(image.read(at, size));
      expect(Buffer.concat(parts).equals(all.subarray(from))).toBe(true);
    }
    expect(image.read(image.size, 10)).toHaveLength(0);
  });

  it('has the layout in common with another copy of the binary, and with no other binary', () => {
    expect(layout(whole)).toBe(layout(whole));
    expect(layout(whole)).not.toBe(layout(whole, { debugSections: true }));
    expect(layout(whole)).not.toBe(layout(buildProgram(PROGRAMS.cStripped)));
  });

  it('says when the file was cut short after it was opened', () => {
    const bytes = readFileSync(whole);
    let length = bytes.length;
    const source: ByteSource = {
      size: bytes.length,
      read: (offset, count) => bytes.subarray(offset, Math.min(offset + count, length)),
    };
    const image = new CompactImage(source, { debugSections: true });
    length = 8192;
    expect(() => image.read(0, image.size)).toThrow(/the file ended while it was read/);
  });
});

describe('a stripped binary and its debug file', () => {
  let stripped: string;
  let debug: string;
  beforeAll(() => {
    ({ stripped, debug } = splitDebug(whole, folder, 'shop'));
  });

  it('the binary names its debug file', () => {
    const link = readDebugLink(ElfFile.parse(bufferSource(readFileSync(stripped))));
    expect(link?.fileName).toBe('shop.debug');
    expect(link?.crc32).toBe(crc32(readFileSync(debug)));
    expect(readDebugLink(ElfFile.parse(bufferSource(readFileSync(whole))))).toBeUndefined();
  });

  it('become one file with the names of both', () => {
    const image = imageOf(stripped, {
      debugSections: true,
      debugFile: bufferSource(readFileSync(debug)),
    });
    expect(image.quality).toBe('dwarf');
    const out = save(image, 'merged');
    expect(lines(out)).toBe(lines(whole));
    expect(symbols(out, '-a').length).toBeGreaterThan(20);
    expect(symbols(out, '-a')).toEqual(symbols(debug, '-a'));
    // Versions are not kept.
    expect(symbols(out, '-D')).toEqual(symbols(stripped, '-D').map((line) => line.replace(/@.*/, '')));
    const merged = ElfFile.parse(bufferSource(readFileSync(out)));
    const original = ElfFile.parse(bufferSource(readFileSync(stripped)));
    expect(merged.identity).toBe(original.identity);
    expect(segments(merged)).toEqual(segments(original));
  });

  it.skipIf(statSync('/usr/bin/dwz', { throwIfNoEntry: false }) === undefined)(
    'a file shared by several is found by its build id',
    () => {
      for (const name of ['one', 'two']) execFileSync('cp', [whole, join(folder, name)]);
      const shared = join(folder, 'shared.debug');
      execFileSync('dwz', [
        '-m',
        shared,
        '-M',
        '/usr/lib/debug/.dwz/shared.debug',
        join(folder, 'one'),
        join(folder, 'two'),
      ]);
      const link = readDebugAltLink(ElfFile.parse(bufferSource(readFileSync(join(folder, 'one')))));
      const bytes = bufferSource(readFileSync(shared));
      expect(link).toEqual({
        path: '/usr/lib/debug/.dwz/shared.debug',
        buildId: ElfFile.parse(bytes, { relocatable: true }).identity,
      });
      expect(() => ElfFile.parse(bytes)).toThrow(/relocatable object/);
    },
  );
});

function file(name: string, text: string): ElfFile {
  const contents = Buffer.from(text, 'latin1');
  return ElfFile.parse(bufferSource(elfImage([{ name, type: 1, flags: 0, contents }])));
}

describe('links to debug files that are broken', () => {
  it.each([
    ['is empty', '', /without end/],
    ['has no end', 'name without end', /without end/],
    ['has no checksum', 'short\0', /ends before its checksum/],
    ['leads elsewhere', '../../etc/shadow\0aaaaaaaaaa', /which is no file name/],
    ['is the folder above', '..\0aaaaaaaa', /which is no file name/],
    ['has no name', '\0\0\0\0aaaa', /which is no file name/],
    ['is too long', 'x'.repeat(9000), /no path is that long/],
  ])('.gnu_debuglink %s', (_what, text, reason) => {
    expect(() => readDebugLink(file('.gnu_debuglink', text))).toThrow(reason);
  });

  it.each([
    ['has no id', '/usr/lib/debug/x\0', /build id of 0 bytes/],
    ['has a long id', `/usr/lib/debug/x\0${'i'.repeat(65)}`, /build id of 65 bytes/],
    ['has no end', 'no end', /without end/],
  ])('.gnu_debugaltlink %s', (_what, text, reason) => {
    expect(() => readDebugAltLink(file('.gnu_debugaltlink', text))).toThrow(reason);
  });
});

it('a sparse file of a gigabyte is read in parts, without holding it', () => {
  const path = join(folder, 'large');
  const contents = elfImage([{ name: '.debug_info', type: 1, flags: 0, contents: new Uint8Array(64) }]);
  const size = 1 << 30;
  const view = new DataView(contents.buffer);
  const table = Number(view.getBigUint64(40, true));
  // Section 1 now reaches from the end of what is there to the gigabyte.
  view.setBigUint64(table + 64 + 24, BigInt(contents.length), true);
  view.setBigUint64(table + 64 + 32, BigInt(size - contents.length), true);
  writeFileSync(path, contents);
  execFileSync('truncate', ['-s', String(size), path]);
  const fd = openSync(path, 'r');
  try {
    let most = 0;
    const image = new CompactImage(
      {
        size,
        read: (offset, length) => {
          most = Math.max(most, length);
          const bytes = Buffer.alloc(length);
          return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
        },
      },
      { debugSections: true },
    );
    expect(image.size).toBeGreaterThan(size - 4096);
    expect(image.read(image.size - 1000, 1000)).toHaveLength(1000);
    expect(image.read(size >> 1, 1 << 20).every((byte) => byte === 0)).toBe(true);
    expect(most).toBeLessThanOrEqual(1 << 20);
  } finally {
    closeSync(fd);
  }
});
