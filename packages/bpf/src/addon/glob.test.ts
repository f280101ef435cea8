import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

let directory = '';

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-glob-`);
  const sources = ['glob.cc', 'testing/glob.cc'].map((name) => fileURLToPath(new URL(name, import.meta.url)));
  const options = ['-std=gnu++20', '-g', '-O1', '-Wall', '-Wextra', '-fsanitize=address,undefined'];
  execFileSync('g++', [...options, ...sources, '-o', `${directory}/glob`], { stdio: 'inherit' });
}, 60_000);

afterAll(() => rmSync(directory, { recursive: true }));

/** By pair of pattern and text: matches in paths, in names, covers. */
function answers(pairs: readonly (readonly [pattern: string, text: string])[]): boolean[][] {
  const input = pairs.map(([pattern, text]) => `${pattern}\n${text}\n`).join('');
  const output = execFileSync(`${directory}/glob`, { input, encoding: 'utf8' });
  return output
    .trimEnd()
    .split('\n')
    .map((line) => Array.from(line, (digit) => digit === '1'));
}

/** The same question to regular expressions. */
function expected(pattern: string, text: string): boolean[] {
  const expression = (any: string): RegExp =>
    new RegExp(
      `^${pattern.replaceAll(/\*\*|[*?.\\[\](){}^$+|]/g, (token) => {
        if (token === '**') return '.*';
        if (token === '*') return `${any}*`;
        return token === '?' ? any : `\\${token}`;
      })}$`,
    );
  const inPath = expression('[^/]');
  const parents = [...text.matchAll(/\//g)]
    .map(({ index }) => text.slice(0, index))
    .filter((path) => path !== '');
  return [
    inPath.test(text),
    expression('.').test(text),
    pattern === '/' || [text, ...parents].some((path) => inPath.test(path)),
  ];
}

it.each([
  ['/usr/bin/*', '/usr/bin/node', [true, true, true]],
  ['/usr/*', '/usr/bin/node', [false, true, true]],
  ['**/node', '/opt/a/node', [true, true, true]],
  ['/system.slice', '/system.slice/ssh.service', [false, false, true]],
  ['/kubepods*/**/cri-*', '/kubepods.slice/burstable/pod1/cri-2.scope', [true, true, true]],
  ['kworker*', 'kworker/0:1', [false, true, true]],
  ['/', '/a/b', [false, false, true]],
  ['/a', '/ab', [false, false, false]],
] as const)('%s and %s', (pattern, text, answer) => {
  expect(answers([[pattern, text]])).toEqual([answer]);
});

function letters(set: string): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...set.split('')), { maxLength: 12 }).map((parts) => parts.join(''));
}

it('matches as regular expressions do, whatever the pattern', () => {
  const pair = fc.tuple(letters('ab/*?*'), letters('ab/'));
  fc.assert(
    fc.property(fc.array(pair, { minLength: 500, maxLength: 500 }), (pairs) => {
      expect(answers(pairs)).toEqual(pairs.map(([pattern, text]) => expected(pattern, text)));
    }),
    { numRuns: 20 },
  );
});
