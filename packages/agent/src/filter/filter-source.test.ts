import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { FilterSource } from './filter-source.ts';
import { parseFilterFile } from './parse-filter-file.ts';
import { parseFilterRule } from './parse-filter-rule.ts';

const directory = mkdtempSync(join(tmpdir(), 'fleetflame-filter-'));
const file = join(directory, 'filter');
const log = pino({ enabled: false });
afterAll(() => rmSync(directory, { recursive: true }));

test('a file has a rule on each line, comments and empty lines', () => {
  const text =
    '# the backup\n\nskip exe:/usr/bin/restic\n  only\tcgroup:/system.slice  \nskip comm:a b:c\r\n';
  expect(parseFilterFile(text, 'f')).toEqual([
    { action: 'skip', kind: 'exe', pattern: '/usr/bin/restic' },
    { action: 'only', kind: 'cgroup', pattern: '/system.slice' },
    { action: 'skip', kind: 'comm', pattern: 'a b:c' },
  ]);
});

test.each([
  [
    'skip exe:/a\nexe:/b',
    'f:2: "exe:/b": a line begins with "only " or "skip ", such as skip exe:/usr/bin/restic.',
  ],
  [
    'skip exec:/a',
    'f:1: "exec:/a": a rule is one of exe, comm, cgroup, pid with ":" and a pattern, such as skip exe:/usr/bin/*.',
  ],
  ['#\n\nonly pid:x', 'f:3: "pid:x": pid:x is not the number of a process.'],
  [
    'only cgroup:system.slice',
    'f:1: "cgroup:system.slice": cgroup:system.slice is no path of a cgroup: begin it with "/" or "**/", as in cgroup:/system.slice/*.',
  ],
  ['only exe:', 'f:1: "exe:": exe: has no pattern behind it.'],
])('%j is refused with its line and what is wrong with it', (text, message) => {
  expect(() => parseFilterFile(text, 'f')).toThrow(
    expect.objectContaining({ code: 'invalid_input', message }),
  );
});

test('a flag is named in the error', () => {
  expect(() => parseFilterRule('skip', 'node', '--skip')).toThrow(/^--skip: "node": a rule is one of/);
});

test('flags and file add up, a changed file is taken up, a broken one changes nothing and says why', () => {
  writeFileSync(file, 'skip comm:one\n');
  const source = new FilterSource({ skip: ['comm:flag'], file }, log);
  expect(source.status()).toMatchObject({
    rules: ['skip comm:flag', 'skip comm:one'],
    loads: 1,
    problem: '',
  });

  let nowMs = 10_000;
  expect(source.look((nowMs += 2000))).toBe(false);
  writeFileSync(`${file}.new`, 'skip comm:two\nskip comm:three\n');
  renameSync(`${file}.new`, file);
  expect(source.look(nowMs + 10)).toBe(false); // Too soon after the last look.
  expect(source.look((nowMs += 2000))).toBe(true);
  expect(source.status().rules).toEqual(['skip comm:flag', 'skip comm:two', 'skip comm:three']);

  writeFileSync(file, 'skip comm:two\nskip nonsense\n');
  expect(source.look((nowMs += 2000))).toBe(true);
  expect(source.status()).toMatchObject({
    rules: ['skip comm:flag', 'skip comm:two', 'skip comm:three'],
    failures: 1,
    problem: expect.stringContaining(`${file}:2: "nonsense"`) as string,
  });
  // Said once, not with every look.
  expect(source.look((nowMs += 2000))).toBe(false);

  rmSync(file);
  expect(source.look((nowMs += 2000))).toBe(true);
  expect(source.status()).toMatchObject({
    failures: 2,
    problem: expect.stringContaining('cannot be opened') as string,
  });

  writeFileSync(file, '');
  expect(source.look(nowMs, true)).toBe(true);
  expect(source.status()).toMatchObject({ rules: ['skip comm:flag'], failures: 2, problem: '' });
});

const open = (path: string) => (): FilterSource => new FilterSource({ file: path }, log);

test('a file that is not there, too large or no file is refused at the start', () => {
  expect(open(join(directory, 'none'))).toThrow(/^--filter-file: .*none cannot be opened/);
  expect(open(directory)).toThrow(/is no file\.$/);
  writeFileSync(file, '#'.repeat(70_000));
  expect(open(file)).toThrow(/is larger than 64 KiB\.$/);
  writeFileSync(file, 'skip comm:x\n'.repeat(300));
  expect(open(file)).toThrow('The filter has 300 rules, and 256 are possible: a glob may do for several.');
});
