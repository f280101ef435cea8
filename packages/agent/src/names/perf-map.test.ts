import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ProcFiles } from '../labels/proc-files.ts';
import { parseJitName } from './jit-name.ts';
import { JitNames } from './jit-names.ts';
import { PerfMapFile } from './perf-map-file.ts';
import { PerfMap } from './perf-map.ts';

function add(map: PerfMap, text: string): boolean {
  map.append(Buffer.from(text));
  return map.merge();
}

test('an address has the name of the entry that covers it', () => {
  const map = new PerfMap();
  add(map, '1000 20 first\n0x2000 10 second with spaces\nnot a line\n3000 0 stub\n');
  expect(map.find(0xfff)).toBeUndefined();
  expect(map.find(0x1000)).toBe('first');
  expect(map.find(0x101f)).toBe('first');
  expect(map.find(0x1020)).toBeUndefined();
  expect(map.find(0x200f)).toBe('second with spaces');
  expect(map.find(0x3000)).toBe('stub');
  expect(map.badLines).toBe(1);
});

test('later entries override, within one reading and across readings', () => {
  const map = new PerfMap();
  add(map, '1000 100 old\n2000 10 kept\n1080 10 new\n');
  expect(map.find(0x1084)).toBe('new');
  expect(map.find(0x1000)).toBeUndefined();
  add(map, '1000 200 newest\n');
  expect(map.find(0x1084)).toBe('newest');
  expect(map.find(0x2000)).toBe('kept');
  expect(map.length).toBe(2);
});

test('a line that is cut between two readings is one line', () => {
  const map = new PerfMap();
  expect(add(map, '1000 2')).toBe(false);
  expect(add(map, '0 fun')).toBe(false);
  expect(add(map, 'ction\n')).toBe(true);
  expect(map.find(0x101f)).toBe('function');
});

test('however the text is cut, the last entry that covers an address and was not overridden names it', () => {
  const entry = fc.record({ start: fc.nat(200), size: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 60 }),
      fc.array(fc.nat(2000), { maxLength: 8 }),
      (entries, cuts) => {
        const text = entries.map((e, i) => `${e.start.toString(16)} ${e.size.toString(16)} n${i}\n`).join('');
        const map = new PerfMap();
        let at = 0;
        for (const cut of [...cuts.sort((a, b) => a - b), text.length]) {
          if (cut <= at) continue;
          map.append(Buffer.from(text.slice(at, cut)));
          if (cut % 3 !== 0) map.merge();
          at = cut;
        }
        map.merge();
        // The plain way: an entry wipes out all earlier ones that it overlaps.
        let live: { start: number; size: number; name: string }[] = [];
        for (const [i, e] of entries.entries()) {
          live = live.filter((o) => o.start + o.size <= e.start || e.start + e.size <= o.start);
          live.push({ ...e, name: `n${i}` });
        }
        for (let address = 0; address < 230; address++) {
          const expected = live.find((e) => e.start <= address && address < e.start + e.size)?.name;
          expect(map.find(address)).toBe(expected);
        }
      },
    ),
  );
});

describe('names of V8 lose their compiler and gain file and line', () => {
  test.each([
    ['JS:*parse /srv/app.js:12:5', { name: 'parse', filename: '/srv/app.js', startLine: 12 }],
    ['JS:~parse /srv/app.js:12:5', { name: 'parse', filename: '/srv/app.js', startLine: 12 }],
    ["JS:+'parse /srv/app.js:12:5", { name: 'parse', filename: '/srv/app.js', startLine: 12 }],
    ['JS:^get bytes node:buffer:3:9', { name: 'get bytes', filename: 'node:buffer', startLine: 3 }],
    ['JS:+ /srv/a b.js:1:1', { name: '(anonymous)', filename: '/srv/a b.js', startLine: 1 }],
    ['JS:*run file:///srv/m.mjs:2:20', { name: 'run', filename: 'file:///srv/m.mjs', startLine: 2 }],
    ['Script:~j.js:1:1', { name: '(anonymous)', filename: 'j.js', startLine: 1 }],
    ['JS:*toString', { name: 'toString', filename: '', startLine: 0 }],
    ['RegExp:^a+:b$', { name: 'a+:b$', filename: '', startLine: 0 }],
    ['py::work:/srv/w.py', { name: 'py::work:/srv/w.py', filename: '', startLine: 0 }],
    ['Builtin:ArrayMap', { name: 'Builtin:ArrayMap', filename: '', startLine: 0 }],
  ])('%s', (text, expected) => {
    const interpreted = text.includes(':~');
    expect(parseJitName(text)).toEqual({ ...expected, line: expected.startLine, interpreted });
  });
});

describe('the file of a process', () => {
  let proc: string;
  let map: string;
  const buffer = Buffer.alloc(64);

  beforeEach(() => {
    proc = mkdtempSync(join(tmpdir(), 'fleetflame-perfmap-'));
    mkdirSync(join(proc, '7/root/tmp'), { recursive: true });
    writeFileSync(join(proc, '7/status'), 'Name:\tjit\nNSpid:\t7\t3\n');
    map = join(proc, '7/root/tmp/perf-3.map');
  });
  afterEach(() => rmSync(proc, { recursive: true }));

  test('is read from where the last reading ended', () => {
    const file = new PerfMapFile(7, 3, new ProcFiles(proc));
    expect(file.refresh(buffer)).toBe(false);
    expect(file.problem).toBe('absent');
    writeFileSync(map, `1000 10 ${'a'.repeat(100)}é\n20`);
    expect(file.refresh(buffer)).toBe(true);
    expect(file.map.find(0x1000)).toBe(`${'a'.repeat(100)}é`);
    appendFileSync(map, '00 10 second\n');
    expect(file.refresh(buffer)).toBe(true);
    expect(file.map.find(0x2001)).toBe('second');
    expect(file.refresh(buffer)).toBe(false);
  });

  test('is read anew when the runtime begins anew', () => {
    const file = new PerfMapFile(7, 3, new ProcFiles(proc));
    writeFileSync(map, '1000 10 first\n2000 10 second\n');
    file.refresh(buffer);
    writeFileSync(map, '1000 10 other\n');
    expect(file.refresh(buffer)).toBe(true);
    expect([file.map.find(0x1000), file.map.find(0x2000)]).toEqual(['other', undefined]);
  });

  test('is not followed where it is a link, nor where its directory is', () => {
    const secret = join(proc, 'secret');
    writeFileSync(secret, '1000 10 secret\n');
    symlinkSync(secret, map);
    const linked = new PerfMapFile(7, 3, new ProcFiles(proc));
    expect(linked.refresh(buffer)).toBe(false);
    expect(linked.problem).toBe('foreign');

    rmSync(join(proc, '7/root/tmp'), { recursive: true });
    mkdirSync(join(proc, 'elsewhere'));
    writeFileSync(join(proc, 'elsewhere/perf-3.map'), '1000 10 secret\n');
    symlinkSync(join(proc, 'elsewhere'), join(proc, '7/root/tmp'));
    const inLinked = new PerfMapFile(7, 3, new ProcFiles(proc));
    expect(inLinked.refresh(buffer)).toBe(false);
    expect(inLinked.problem).toBe('foreign');
  });

  test('is not read when it is no plain file', () => {
    mkdirSync(map);
    const file = new PerfMapFile(7, 3, new ProcFiles(proc));
    expect(file.refresh(buffer)).toBe(false);
    expect(file.problem).toBe('foreign');
  });

  test.runIf(process.getuid?.() === 0)('is not read when it belongs to another user', () => {
    writeFileSync(map, '1000 10 planted\n');
    chownSync(map, 4242, 4242);
    chmodSync(map, 0o644);
    const file = new PerfMapFile(7, 3, new ProcFiles(proc));
    expect(file.refresh(buffer)).toBe(false);
    expect(file.problem).toBe('foreign');
    // The process's own user may write it.
    chownSync(join(proc, '7'), 4242, 4242);
    expect(new PerfMapFile(7, 3, new ProcFiles(proc)).refresh(buffer)).toBe(true);
  });

  test('is found by the pid of the inner namespace, and read at most once per collection', () => {
    writeFileSync(map, '1000 10 first\n');
    const names = new JitNames(new ProcFiles(proc));
    names.beginCollection();
    const generation = names.generation(7, 1000, 0);
    expect(names.find(7, 0x1008, 1000, 0)?.name).toBe('first');
    appendFileSync(map, '3000 10 late\n');
    expect(names.find(7, 0x3000, 1000, 0)).toBeUndefined();
    expect(names.generation(7, 1000, 0)).toBe(generation);
    names.beginCollection();
    expect(names.find(7, 0x3000, 1250, 0)?.name).toBe('late');
    expect(names.generation(7, 1250, 0)).not.toBe(generation);
    expect(names.counters.unnamed).toBe(1);
    names.forget(7);
    expect(names.processCount).toBe(0);
  });
});
