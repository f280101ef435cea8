import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scaled, testSeed } from '@fleetflame/testing';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeFolded } from '../folded/encode-folded.ts';
import { decodePprof } from './decode-pprof.ts';
import { bytes, int, rawProfile, varint } from './testing/raw-profile.ts';

const FIRST = 3;
const NAMES = [
  '',
  'cpu',
  'nanoseconds',
  'main',
  'app::run(int)',
  'malloc',
  'tcmalloc::Allocate(unsigned long)',
  'keep_malloc',
  '(anonymous namespace)::wrapper(char)',
  '.dot.func(int)',
  'operator()(int)',
  'a<(b)>',
];
const DROP = [
  'malloc|tcmalloc::.*',
  '.*malloc',
  'main',
  String.raw`\(anonymous namespace\)::wrapper`,
  String.raw`dot\.func`,
  String.raw`operator\(\)`,
  'a<',
  '.*',
];
const KEEP = ['', 'keep_.*', 'main'];

interface Input {
  /** Outermost first: the functions of each location, innermost first. */
  readonly stack: readonly (readonly number[])[];
  readonly drop: string;
  readonly keep: string;
}

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-drop-frames-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function profileOf({ stack, drop, keep }: Input): Uint8Array {
  const ids = stack.map((_, i) => varint(stack.length - i));
  return rawProfile({
    strings: [...NAMES, drop, keep].flatMap((text) => bytes(6, text)),
    mapping: [],
    function: NAMES.flatMap((_, i) => (i < FIRST ? [] : bytes(5, int(1, i), int(2, i)))),
    location: stack.flatMap((lines, i) =>
      bytes(4, int(1, i + 1), int(3, i + 1), ...lines.map((name) => bytes(4, int(1, name)))),
    ),
    sample: bytes(2, bytes(1, ...ids), bytes(2, varint(30))),
    more: [...int(7, NAMES.length), ...int(8, NAMES.length + 1)],
  });
}

/** Frames of the only sample, innermost first, as go tool pprof shows them. */
function framesInGo(profile: Uint8Array): string[] {
  const path = join(directory, 'profile.pb');
  writeFileSync(path, profile);
  const text = execFileSync('go', ['tool', 'pprof', '-traces', '-symbolize=none', path], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [, sample = ''] = text.split(/-{3,}\+-{3,}/);
  return sample
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\s*(?:30ns)?\s*/, '').replace(/ \(inline\)$/, ''));
}

const name = fc.integer({ min: FIRST, max: NAMES.length - 1 });
const input = fc.record({
  stack: fc.array(fc.array(name, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 6 }),
  drop: fc.constantFrom(...DROP),
  keep: fc.constantFrom(...KEEP),
});

test('drop_frames and keep_frames leave what go tool pprof leaves', () => {
  fc.assert(
    fc.property(input, (given) => {
      const profile = profileOf(given);
      const [type = ''] = decodePprof(profile).totals.keys();
      const text = encodeFolded(decodePprof(profile).block, { profileType: type });
      const frames = text.slice(0, text.lastIndexOf(' ')).split(';');
      expect(frames.toReversed()).toEqual(framesInGo(profile));
    }),
    { numRuns: scaled(12, 300), seed: testSeed() },
  );
});
