import { execFile } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ProcFiles } from '../labels/proc-files.ts';
import { JitDumpWriter } from '../testing/jit-dump-writer.ts';
import { isJitDump, JitDumpFile } from './jit-dump-file.ts';
import { JitDump } from './jit-dump.ts';
import { JitNames } from './jit-names.ts';

const SECOND_NS = 1e9;
/** Unix time of the writer's time 0. */
const OFFSET_MS = 1_700_000_000_000;
const atSecond = (second: number): number => OFFSET_MS + second * 1000;

/** Reads all of a dump, however it is cut, as a file is read. */
function read(bytes: Buffer, pieces: readonly number[] = [], dump = new JitDump(OFFSET_MS)): JitDump {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = pieces[i] ?? bytes.length;
    const piece = bytes.subarray(at, at + Math.max(1, size));
    at += piece.length;
    at += dump.append(Buffer.from(piece));
    dump.merge();
  }
  dump.merge();
  return dump;
}

const nameAt = (dump: JitDump, address: number, second: number): string | undefined =>
  dump.find(address, atSecond(second))?.name;

describe.each([
  ['little', true],
  ['big', false],
])('of a %s-endian writer', (_name, littleEndian) => {
  test('code has its name, and the line of an address', () => {
    const bytes = new JitDumpWriter({ littleEndian })
      .lines(SECOND_NS, 0x1000, [
        [0x1000, 10, '/srv/a.kt'],
        [0x1010, 12, '/srv/a.kt'],
        [0x1018, 90, '/srv/inlined.kt'],
        [0x1020, 11, '/srv/a.kt'],
      ])
      .load(SECOND_NS, 0x1000, 0x40, 1, 'first')
      .unwinding(SECOND_NS)
      .load(SECOND_NS, 0x2000, 0x10, 2, 'second with spaces')
      .close(SECOND_NS)
      .bytes();
    const dump = read(bytes);
    const frame = { name: 'first', filename: '/srv/a.kt', startLine: 10, interpreted: false };
    expect(dump.find(0x0fff, atSecond(2))).toBeUndefined();
    expect(dump.find(0x1000, atSecond(2))).toEqual({ ...frame, line: 10 });
    expect(dump.find(0x101f, atSecond(2))).toEqual({ ...frame, line: 12 });
    expect(dump.find(0x103f, atSecond(2))).toEqual({ ...frame, line: 11 });
    expect(dump.find(0x1040, atSecond(2))).toBeUndefined();
    expect(nameAt(dump, 0x200f, 2)).toBe('second with spaces');
    expect([dump.length, dump.badRecords, dump.damage]).toEqual([2, 0, undefined]);
  });
});

test('the lines of V8, which count from an ELF header before the code, fall on the right code', () => {
  const bytes = new JitDumpWriter()
    .lines(SECOND_NS, 0x1000, [
      [0x1040, 2, '/srv/app.js'],
      [0x1050, 3, '/srv/app.js'],
    ])
    .load(SECOND_NS, 0x1000, 0x40, 1, 'JS:*parse /srv/app.js:2:5')
    .bytes();
  const dump = read(bytes);
  expect(dump.find(0x100f, atSecond(2))).toMatchObject({ name: 'parse', line: 2, startLine: 2 });
  expect(dump.find(0x1010, atSecond(2))).toMatchObject({ name: 'parse', line: 3, startLine: 2 });
});

test('code that was moved, replaced or is not there yet has the name of its time', () => {
  const bytes = new JitDumpWriter()
    .load(10.5 * SECOND_NS, 0x1000, 0x100, 1, 'moving')
    .load(10.5 * SECOND_NS, 0x5000, 0x100, 2, 'replaced')
    .move(20.5 * SECOND_NS, 0x1000, 0x3000, 0x100, 1)
    .load(25.5 * SECOND_NS, 0x1080, 0x100, 3, 'later')
    .load(30.5 * SECOND_NS, 0x5000, 0x100, 4, 'new')
    .bytes();
  const dump = read(bytes, [50, 7, 1, 300]);
  const names = (address: number, ...seconds: number[]): (string | undefined)[] =>
    seconds.map((second) => nameAt(dump, address, second));
  expect(names(0x1090, 12, 19, 22, 23, 26)).toEqual(['moving', 'moving', undefined, undefined, 'later']);
  expect(names(0x3010, 15, 22, 40)).toEqual([undefined, 'moving', 'moving']);
  expect(names(0x5000, 15, 29, 31, 40)).toEqual(['replaced', 'replaced', 'new', 'new']);
  expect([dump.isPast(atSecond(29)), dump.isPast(atSecond(30))]).toEqual([true, false]);
});

test('times of another clock are not compared', () => {
  const bytes = new JitDumpWriter({ flags: 1 })
    .load(5e15, 0x1000, 0x100, 1, 'old')
    .load(6e15, 0x1000, 0x100, 2, 'now')
    .bytes();
  expect(nameAt(read(bytes), 0x1000, 3)).toBe('now');
});

test('however a dump is cut, and whatever is not wanted of it, it says the same', () => {
  const load = fc.record({
    kind: fc.constantFrom('load', 'move', 'unwinding'),
    start: fc.integer({ min: 1, max: 200 }),
    size: fc.integer({ min: 1, max: 20 }),
    seconds: fc.integer({ min: 0, max: 2 }),
  });
  fc.assert(
    fc.property(
      fc.array(load, { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 40 }),
      (records, pieces) => {
        const writer = new JitDumpWriter();
        // The plain way: what is where at the end of every second.
        let live: { start: number; size: number; index: number; name: string }[] = [];
        const bySecond = new Map<number, typeof live>();
        let second = 1;
        const put = (start: number, size: number, index: number, name: string): void => {
          live = live.filter((o) => o.start + o.size <= start || start + size <= o.start);
          live.push({ start, size, index, name });
        };
        for (const [i, { kind, start, size, seconds }] of records.entries()) {
          for (let s = 0; s < seconds; s++) bySecond.set(second++, [...live]);
          const timeNs = (second + 0.5) * SECOND_NS;
          const moved = live.find(({ name }) => name !== '');
          if (kind === 'load') {
            writer.load(timeNs, start, size, i, `n${i}`);
            put(start, size, i, `n${i}`);
          } else if (kind === 'move' && moved !== undefined) {
            writer.move(timeNs, moved.start, start, moved.size, moved.index);
            put(moved.start, moved.size, -1, '');
            put(start, moved.size, moved.index, moved.name);
          } else writer.unwinding(timeNs);
        }
        bySecond.set(second, [...live]);
        const dump = read(writer.bytes(), pieces);
        for (const [at, then] of bySecond) {
          for (let address = 1; address < 230; address++) {
            const name = then.find((e) => e.start <= address && address < e.start + e.size)?.name;
            // Code that comes a second later is named already.
            if (name === undefined || name === '') continue;
            expect(nameAt(dump, address, at), `${address} in second ${at}`).toBe(name);
          }
        }
        expect([dump.badRecords, dump.damage]).toEqual([0, undefined]);
      },
    ),
  );
});

test('damaged dumps do no harm: they are read as far as they make sense, within limits', () => {
  const writer = new JitDumpWriter();
  for (let i = 0; i < 20; i++) {
    writer
      .lines(i * SECOND_NS, 0x1000 * (i + 1), [[0x1000 * (i + 1), i + 1, '/srv/f.js']])
      .load(i * SECOND_NS, 0x1000 * (i + 1), 0x80, i, `JS:~f${i} /srv/f.js:${i + 1}:1`)
      .move(i * SECOND_NS, 0x1000 * (i + 1), 0x100_0000 + 0x1000 * i, 0x80, i);
  }
  const sound = writer.bytes();
  const change = fc.record({ at: fc.nat(sound.length - 1), byte: fc.nat(255) });
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 12 }),
      fc.nat(sound.length),
      fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 30 }),
      (changes, length, pieces) => {
        const bytes = Buffer.from(sound.subarray(0, length));
        for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
        const dump = read(bytes, pieces);
        expect(dump.length).toBeLessThanOrEqual(40);
        for (let address = 0; address < 0x16000; address += 0x777) dump.find(address, atSecond(5));
      },
    ),
    { numRuns: 500 },
  );
});

test.each([
  ['no dump', Buffer.from('a'.repeat(100)), 'not_jitdump'],
  ['another version', new JitDumpWriter({ version: 2 }).bytes(), 'version'],
  ['a record without a size', Buffer.concat([new JitDumpWriter().bytes(), Buffer.alloc(64)]), 'record_size'],
])('%s is left', (_name, bytes, damage) => {
  expect(read(bytes).damage).toBe(damage);
});

test('every function of a dump that node writes has its name, and those of node their lines', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fleetflame-jitdump-'));
  try {
    const program = join(directory, 'app.js');
    writeFileSync(
      program,
      'function hot(n) { let s = 0; for (let i = 0; i < n; i++) s += i % 7; return s; }\nfor (let i = 0; i < 2000; i++) hot(20000);\n',
    );
    await promisify(execFile)(
      process.execPath,
      ['--perf-prof', '--interpreted-frames-native-stack', program],
      {
        cwd: directory,
      },
    );
    const file = readdirSync(directory).find((name) => isJitDump(`/${name}`));
    const bytes = readFileSync(join(directory, file ?? ''));
    const truth: { address: number; size: number; name: string }[] = [];
    for (let at = 40; at + 56 <= bytes.length; at += bytes.readUInt32LE(at + 4)) {
      if (bytes.readUInt32LE(at) !== 0) continue;
      const name = bytes.toString('utf8', at + 56, bytes.indexOf(0, at + 56));
      const [address, size] = [32, 40].map((o) => Number(bytes.readBigUInt64LE(at + o)));
      truth.push({ address: address ?? 0, size: size ?? 0, name });
    }
    const dump = read(
      bytes,
      Array.from({ length: 50 }, () => 4096),
      new JitDump(),
    );
    const last = truth.filter(({ name }) => name.includes('*hot ')).at(-1);
    expect(last).toBeDefined();
    const found = dump.find((last?.address ?? 0) + (last?.size ?? 0) - 1, Date.now());
    expect(found).toMatchObject({ name: 'hot', filename: program, startLine: 1, interpreted: false });
    const live = truth.filter(
      ({ address, size }, i) =>
        !truth.slice(i + 1).some((o) => o.address < address + size && address < o.address + o.size),
    );
    expect(live.length).toBeGreaterThan(100);
    expect(dump.length).toBe(live.length);
    for (const { address, name } of live) {
      const frame = dump.find(address, Date.now());
      expect(name).toContain(frame?.name === '(anonymous)' ? '' : (frame?.name ?? '?'));
    }
    const withLine = live
      .map(({ address, size }) => dump.find(address + size - 1, Date.now()))
      .filter(
        (frame) => frame !== undefined && frame.filename.startsWith('node:') && frame.line > frame.startLine,
      );
    expect(withLine.length).toBeGreaterThan(0);
    expect(dump.damage).toBeUndefined();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe('the file of a process', () => {
  let proc: string;
  const buffer = Buffer.alloc(128);
  const one = new JitDumpWriter().load(SECOND_NS, 0x1000, 0x4000, 1, 'one').bytes();

  beforeEach(() => {
    proc = mkdtempSync(join(tmpdir(), 'fleetflame-jitdump-'));
    for (const name of ['root/tmp', 'root/home/u/.debug/jit/java-jit-1.A', 'cwd', 'map_files']) {
      mkdirSync(join(proc, '7', name), { recursive: true });
    }
    writeFileSync(join(proc, '7/status'), 'Name:\tjit\nNSpid:\t7\t3\n');
    writeFileSync(join(proc, '7/environ'), 'A=1\0HOME=/home/u\0');
  });
  afterEach(() => rmSync(proc, { recursive: true }));

  const open = (mapping?: { start: bigint; end: bigint }): JitDumpFile =>
    new JitDumpFile(7, 3, mapping, new ProcFiles(proc));

  test('is found where it is mapped, under whatever name', () => {
    writeFileSync(join(proc, '7/map_files/7f00-8f00'), one);
    const file = open({ start: 0x7f00n, end: 0x8f00n });
    expect(file.refresh(buffer)).toBe(true);
    expect(file.content.find(0x1000, Date.now())?.name).toBe('one');
    expect(open().refresh(buffer)).toBe(false);
  });

  test.each(['cwd', 'root/tmp', 'root/home/u/.debug/jit/java-jit-1.A'])('is found in %s', (directory) => {
    writeFileSync(join(proc, '7', directory, 'jit-3.dump'), one);
    const file = open();
    expect(file.refresh(buffer)).toBe(true);
    expect(file.content.length).toBe(1);
    // The code is passed over.
    expect(file.bytesRead).toBeLessThan(one.length / 10);
  });

  test('is read on as it grows, by way of the names that a process has', () => {
    const path = join(proc, '7/cwd/jit-3.dump');
    // The end of the code is not there yet.
    writeFileSync(path, one.subarray(0, 200));
    const names = new JitNames(new ProcFiles(proc));
    const now = Date.now();
    names.beginCollection();
    names.generation(7, now, now);
    expect(names.find(7, 0x1000, now, now)?.name).toBe('one');
    appendFileSync(path, one.subarray(200));
    appendFileSync(path, new JitDumpWriter().load(SECOND_NS, 0x9000, 16, 2, 'two').bytes().subarray(40));
    names.beginCollection();
    expect(names.find(7, 0x9000, now, now)?.name).toBe('two');
    expect(names.counters).toMatchObject({ malformed: 0, unreadable: 0, foreign: 0 });
  });

  test('is not followed where it is a link', () => {
    writeFileSync(join(proc, 'secret'), one);
    symlinkSync(join(proc, 'secret'), join(proc, '7/cwd/jit-3.dump'));
    const file = open();
    expect(file.refresh(buffer)).toBe(false);
    expect(file.problem).toBe('foreign');
  });

  test('is left when it is none', () => {
    writeFileSync(join(proc, '7/cwd/jit-3.dump'), 'x'.repeat(100));
    const file = open();
    expect(file.refresh(buffer)).toBe(false);
    expect(file.problem).toBe('damaged');
  });
});
