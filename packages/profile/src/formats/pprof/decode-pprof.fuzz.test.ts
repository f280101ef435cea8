/**
 * Whatever the bytes, decodePprof gives a valid block or a FleetflameError with a field, in bounded
 * time and memory. fast-check prints the seed of a failure; FLEETFLAME_SEED repeats it.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { scaled } from '@fleetflame/testing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateBlock } from '../../block/validate-block.ts';
import { FleetflameError } from '../../errors.ts';
import { decodePprof } from './decode-pprof.ts';
import { encodePprof } from './encode-pprof.ts';
import { PPROF_LIMITS } from './limits.ts';
import { bytes, int, rawProfile, varint } from './testing/raw-profile.ts';

const RUNS = {
  numRuns: scaled(300),
};

const seeds = [
  rawProfile(),
  ...['go-cpu', 'go-heap', 'go-mutex', 'cpp-gperftools'].map((name) =>
    Uint8Array.from(gunzipSync(readFileSync(new URL(`fixtures/${name}.pb.gz`, import.meta.url)))),
  ),
];

const FINE = ['accepted', 'refused'];

/** Decodes; a block must be valid and export its totals, a refusal must be a FleetflameError. */
function outcome(profile: Uint8Array): string {
  try {
    const { block, totals, changes } = decodePprof(profile, { timeMs: 1 });
    validateBlock(block);
    // A sum of values beyond 2^53 depends on their order, also where it is small: the answer says that it is not exact.
    const isExact = !changes.some(({ what }) => what === 'value_inexact' || what === 'value_capped');
    for (const [type, total] of totals) {
      const again = decodePprof(encodePprof(block, { profileType: type, compress: false })).totals.get(type);
      if (isExact && again !== total) return `${type} was ${total}, then ${again}`;
    }
    return 'accepted';
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    if (error.code !== 'invalid_input' && error.code !== 'limit_exceeded') return `refused as ${error.code}`;
    return error.message.length < 1000 ? 'refused' : `a message of ${error.message.length} characters`;
  }
}

const at = fc.nat({ max: 2 ** 30 });
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant('set' as const), at, value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff) }),
  fc.record({ kind: fc.constant('cut' as const), at }),
  fc.record({ kind: fc.constant('remove' as const), at, length: fc.nat({ max: 40 }) }),
  fc.record({ kind: fc.constant('insert' as const), at, bytes: fc.uint8Array({ maxLength: 20 }) }),
  fc.record({ kind: fc.constant('copy' as const), at, from: at, length: fc.nat({ max: 200 }) }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(profile: Uint8Array, change: Mutation): Uint8Array {
  const where = change.at % (profile.length + 1);
  const head = profile.subarray(0, where);
  const tail = profile.subarray(where);
  if (change.kind === 'flip') {
    return profile.map((byte, index) => (index === where ? byte ^ (1 << change.bit) : byte));
  }
  if (change.kind === 'set') {
    return profile.map((byte, index) => (index === where ? change.value : byte));
  }
  if (change.kind === 'cut') return head;
  if (change.kind === 'remove') return Buffer.concat([head, tail.subarray(change.length)]);
  if (change.kind === 'insert') return Buffer.concat([head, change.bytes, tail]);
  const from = change.from % (profile.length + 1);
  return Buffer.concat([head, profile.subarray(from, from + change.length), tail]);
}

/** A profile of random but well-formed protobuf: gets past the wire format into the tables. */
const small = fc.oneof(fc.nat({ max: 12 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const field = fc.tuple(fc.integer({ min: 1, max: 5 }), small).map(([number, value]) => int(number, value));
const packed = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.array(small, { maxLength: 5 }))
  .map(([number, values]) => bytes(number, ...values.map((value) => varint(value))));
const inner = fc.array(fc.oneof(field, packed), { maxLength: 5 }).map((fields) => fields.flat());
const message = fc
  .tuple(
    fc.integer({ min: 1, max: 5 }),
    fc.array(
      fc.oneof(
        field,
        packed,
        inner.map((body) => bytes(4, body)),
      ),
      { maxLength: 6 },
    ),
  )
  .map(([number, fields]) => bytes(number, ...fields));

describe('decodePprof survives', () => {
  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
        expect(FINE).toContain(outcome(input));
      }),
      RUNS,
    );
  });

  test('valid profiles that were changed: bits flipped, cut, lengths and counts that lie, parts repeated', () => {
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        (seed, changes, compress) => {
          const changed = changes.reduce<Uint8Array>((profile, change) => mutate(profile, change), seed);
          outcomes.add(outcome(compress ? gzipSync(changed, { level: 1 }) : changed));
        },
      ),
      RUNS,
    );
    // The changes are neither so small nor so large that only one path is tried.
    expect([...outcomes].sort()).toEqual(FINE);
  });

  test('well-formed protobuf of the wrong content', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12 }), (messages) => {
        expect(FINE).toContain(outcome(rawProfile({ more: messages.flat() })));
      }),
      RUNS,
    );
  });

  test('broken gzip around a valid profile', () => {
    const file = gzipSync(rawProfile());
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 2 }), (changes) => {
        const changed = changes.reduce<Uint8Array>((profile, change) => mutate(profile, change), file);
        expect(FINE).toContain(outcome(changed));
      }),
      RUNS,
    );
  });
});

describe('small files that would take much memory are refused by a named limit', () => {
  test('a gzip bomb', () => {
    const bomb = gzipSync(new Uint8Array(PPROF_LIMITS.inflatedBytes + 1), { level: 1 });
    expect(bomb.length).toBeLessThan(1 << 20);
    expect(() => decodePprof(bomb)).toThrow(
      expect.objectContaining({ code: 'limit_exceeded', field: 'profile' }),
    );
  });

  test.each<['samples' | 'locations' | 'functions' | 'strings', Uint8Array]>([
    ['samples', Uint8Array.from([0x12, 0x00])],
    ['locations', Uint8Array.from([0x22, 0x00])],
    ['functions', Uint8Array.from([0x2a, 0x00])],
    ['strings', Uint8Array.from([0x32, 0x00])],
  ])('a great many empty %s', (limit, row) => {
    const rows = Buffer.alloc(row.length * (PPROF_LIMITS[limit] + 1), row);
    const file = gzipSync(Buffer.concat([rawProfile(), rows]), { level: 1 });
    expect(() => decodePprof(file)).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });

  test('a stack of a great many frames is cut', () => {
    const depth = PPROF_LIMITS.stackDepth * 100;
    const sample = bytes(2, bytes(1, Array<number>(depth).fill(1)), bytes(2, varint(1)));
    const { block, changes } = decodePprof(rawProfile({ sample }));
    expect(block.stacks.length).toBe(PPROF_LIMITS.stackDepth + 1);
    expect(changes).toMatchObject([{ what: 'stack_cut', count: 1 }]);
  });

  test('a length that claims four gigabytes', () => {
    const more = [...varint((6 << 3) | 2), ...varint(2 ** 32 - 1)];
    expect(() => decodePprof(rawProfile({ more }))).toThrow(
      expect.objectContaining({ code: 'invalid_input', field: 'string_table[11]' }),
    );
  });
});
