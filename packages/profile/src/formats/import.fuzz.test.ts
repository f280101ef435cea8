/**
 * Whatever the bytes and whatever format they are said to be: a valid block whose sums are those of the
 * answer, or a FleetflameError; in bounded time. FLEETFLAME_SEED repeats a run (it is printed with a
 * failure), FLEETFLAME_LONG=1 tries more.
 */
import { scaled, testSeed } from '@fleetflame/testing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateBlock } from '../block/validate-block.ts';
import { FleetflameError } from '../errors.ts';
import { decodeProfile } from './decode-profile.ts';
import { foldSamples } from './folded/fold-samples.ts';
import { FORMAT_NAMES } from './format-name.ts';
import { EXAMPLES } from './testing/example-files.ts';

const seed = testSeed();

/** What went wrong; undefined: nothing. */
function failure(bytes: Uint8Array, format?: string): string | undefined {
  let decoded;
  try {
    decoded = decodeProfile(bytes, { format, arrivalMs: 1000 });
  } catch (error) {
    if (!(error instanceof FleetflameError)) return `threw ${String(error)}`;
    if (error.code !== 'invalid_input' && error.code !== 'limit_exceeded') return `refused as ${error.code}`;
    return error.message.length < 1000 ? undefined : `a message of ${error.message.length} characters`;
  }
  validateBlock(decoded.block);
  for (const [type, total] of decoded.totals) {
    let sum = 0;
    for (const { values } of foldSamples(decoded.block, type).groups)
      for (const value of values) sum += value;
    // Beyond 2^53 the order of additions shows.
    if (Math.abs(sum - total) > Math.abs(total) * 1e-9)
      return `${type}: the block has ${sum}, the answer says ${total}`;
  }
  if (decoded.block.samples.length === 0 && !decoded.changes.some(({ what }) => what === 'no_samples')) {
    return 'nothing was taken, and nothing said';
  }
  return undefined;
}

const at = fc.nat({ max: 2 ** 30 });
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant('cut' as const), at }),
  fc.record({ kind: fc.constant('remove' as const), at, length: fc.nat({ max: 40 }) }),
  fc.record({ kind: fc.constant('copy' as const), at, from: at, length: fc.nat({ max: 200 }) }),
  fc.record({
    kind: fc.constant('insert' as const),
    at,
    text: fc.constantFrom(
      '9'.repeat(30),
      '-1',
      '1e999',
      '0.5',
      ' ',
      '\n',
      ';',
      ';;;',
      '"',
      '{',
      '[[',
      '\0',
      '\xff',
      'null',
      '0x',
      ':',
      '@',
      '\t',
      '\x80\x80\x80\x80\x80\x80\x80\x80\x7f',
      '\xff\xff\xff\x7f',
    ),
  }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(file: Uint8Array, change: Mutation): Uint8Array {
  const where = change.at % (file.length + 1);
  const head = file.subarray(0, where);
  const tail = file.subarray(where);
  if (change.kind === 'flip') return file.map((byte, i) => (i === where ? byte ^ (1 << change.bit) : byte));
  if (change.kind === 'cut') return head;
  if (change.kind === 'remove') return Buffer.concat([head, tail.subarray(change.length)]);
  if (change.kind === 'insert') return Buffer.concat([head, Buffer.from(change.text, 'latin1'), tail]);
  const from = change.from % (file.length + 1);
  return Buffer.concat([head, file.subarray(from, from + change.length), tail]);
}

describe.each(FORMAT_NAMES)('%s', (format) => {
  const file = EXAMPLES[format]?.file ?? new Uint8Array();

  test('valid files that were changed', () => {
    const outcomes = new Set<boolean>();
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.boolean(), (changes, say) => {
        const changed = changes.reduce<Uint8Array>((bytes, change) => mutate(bytes, change), file);
        expect(failure(changed, say ? format : undefined)).toBeUndefined();
        outcomes.add(say);
      }),
      { numRuns: scaled(300, 30_000), seed },
    );
    expect(outcomes.size).toBe(2);
  });

  test('files of other formats that are said to be this one', () => {
    for (const other of FORMAT_NAMES)
      expect(failure(EXAMPLES[other]?.file ?? new Uint8Array(), format)).toBeUndefined();
  });

  test('random bytes that are said to be this one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(failure(bytes, format)).toBeUndefined();
      }),
      { numRuns: scaled(100, 10_000), seed },
    );
  });
});

const JSON_KEYS = [
  'nodes',
  'samples',
  'timeDeltas',
  'callFrame',
  'functionName',
  'children',
  'id',
  'parent',
  'shared',
  'frames',
  'profiles',
  'type',
  'unit',
  'weights',
  'events',
  'at',
  'frame',
  'startTime',
  'endTime',
  'traceEvents',
  'name',
  'args',
  'data',
  'cpuProfile',
];

test('JSON of the right names and wrong values', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<unknown>(
        null,
        true,
        0,
        1,
        2,
        -1,
        0.5,
        1e300,
        '',
        'O',
        'C',
        'sampled',
        'evented',
        'bytes',
        'Profile',
      ),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom(...JSON_KEYS), tie('value'), { maxKeys: 6 }),
    ),
  })).value;
  fc.assert(
    fc.property(value, fc.constantFrom('speedscope', 'cpuprofile', undefined), (json, format) => {
      expect(failure(new TextEncoder().encode(JSON.stringify(json) ?? ''), format)).toBeUndefined();
    }),
    { numRuns: scaled(1000, 100_000), seed },
  );
});

describe('files made to be slow are read or refused within linear work', () => {
  const MEGABYTE = 1 << 20;
  // Each is some megabytes of what a careless expression or search would look at again and again; a
  // quadratic reader takes hours for them, and the test would be ended.
  test.each<[string, string, string]>([
    ['folded', 'digits', `main;a ${'1'.repeat(2 * MEGABYTE)}`],
    ['folded', 'semicolons', `${';'.repeat(MEGABYTE)} 1`],
    ['folded', 'inlined', `a${';b_[i]'.repeat(200_000)} 1`],
    ['folded', 'spaces', `main${' '.repeat(2 * MEGABYTE)}1`],
    ['perf-script', 'spaces', `app ${' '.repeat(2 * MEGABYTE)}`],
    ['perf-script', 'numbers', `app ${'1 '.repeat(MEGABYTE)}\n`.repeat(2)],
    ['perf-script', 'parentheses', `app 1 1.0: cycles:\n 40 ${'('.repeat(MEGABYTE)})\n`],
    ['perf-script', 'frames', `app 1 1.0: cycles:\n${' 40 a (b)\n'.repeat(200_000)}`],
    [
      'heap-text',
      'addresses',
      `heap profile: 1: 1 [1: 1] @ heapprofile\n1: 1 [1: 1] @${' 0x1'.repeat(300_000)} x`,
    ],
    ['heap-text', 'spaces', `heap profile: 1: 1 [1: 1] @ heapprofile\n1:${' '.repeat(2 * MEGABYTE)}`],
    [
      'heap-text',
      'maps',
      `heap profile: 1: 1 [1: 1] @ heapprofile\nMAPPED_LIBRARIES:\n${'a=$a$a$a\n'.repeat(100_000)}`,
    ],
    ['speedscope', 'nesting', '['.repeat(MEGABYTE)],
    [
      'cpuprofile',
      'a chain of nodes',
      JSON.stringify({
        nodes: Array.from({ length: 30_000 }, (_, id) => ({
          id,
          callFrame: { functionName: `f${id}` },
          children: [id + 1].filter((it) => it < 30_000),
        })),
        samples: Array.from({ length: 30_000 }, (_, id) => id),
        timeDeltas: Array.from({ length: 30_000 }, () => 1),
      }),
    ],
  ])('%s: %s', (format, _, text) => {
    expect(failure(new TextEncoder().encode(text), format)).toBeUndefined();
  });
});
