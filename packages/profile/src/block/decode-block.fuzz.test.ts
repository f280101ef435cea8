/** Bytes from nobody: the reader answers with an equal block or a FleetflameError, never otherwise. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { FleetflameError } from '../errors.ts';
import { arbitraryBlock, blockFromText, describeBlock } from '../testing/index.ts';
import { footerOffset, resealBlock } from '../testing/reseal-block.ts';
import type { Block } from './block.ts';
import { decodeBlock } from './decode-block.ts';
import { encodeBlock, encodeUnchecked } from './encode-block.ts';
import { bytesSource } from './range-source.ts';
import { readBlock } from './read-block.ts';
import { validateBlock } from './validate-block.ts';

const block = blockFromText(
  'main;handle;parse 30\nmain;handle;write 12 @+1000\nmain;idle 9000000000 @+1000',
  { labels: { service_name: 'api', host_name: 'a' } },
);
const whole = encodeBlock(block);

/** A byte position, more often near the ends, where the structures are. */
const position = (length: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min: 0, max: length - 1 }),
    fc.integer({ min: 0, max: Math.min(200, length - 1) }),
    fc.integer({ min: Math.max(0, length - 400), max: length - 1 }),
  );

const mutations = (length: number): fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> =>
  fc.oneof(
    fc
      .array(fc.tuple(position(length), fc.integer({ min: 0, max: 7 })), { minLength: 1, maxLength: 4 })
      .map((flips) => (bytes: Uint8Array) => {
        const out = bytes.slice();
        for (const [at, bit] of flips) out[at]! ^= 1 << bit;
        return out;
      }),
    fc
      .tuple(position(length - 4), fc.constantFrom(0, 1, 0x7fff_ffff, 0xffff_ffff, 0x1000_0000))
      .map(([at, word]) => (bytes: Uint8Array) => {
        const out = bytes.slice();
        new DataView(out.buffer).setUint32(at, word, true);
        return out;
      }),
    fc
      .tuple(position(length - 64), position(length - 64), fc.integer({ min: 1, max: 64 }))
      .map(([a, b, size]) => (bytes: Uint8Array) => {
        const out = bytes.slice();
        out.set(bytes.subarray(a, a + size), b);
        out.set(bytes.subarray(b, b + size), a);
        return out;
      }),
  );

const REFUSED = ['refused'];

/** What `run` gives, or REFUSED when it throws a FleetflameError; any other error is a finding. */
function orRefused(run: () => string[]): string[] {
  try {
    return run();
  } catch (error) {
    if (error instanceof FleetflameError) return REFUSED;
    throw error;
  }
}

const original = describeBlock(block);
const decodeOrRefuse = (bytes: Uint8Array): string[] => orRefused(() => describeBlock(decodeBlock(bytes)));

describe('decodeBlock on bytes that were damaged', () => {
  test('gives an equal block or refuses flipped, overwritten and swapped bytes', () => {
    fc.assert(
      fc.property(mutations(whole.length), (mutate) => {
        expect([original, REFUSED]).toContainEqual(decodeOrRefuse(mutate(whole)));
      }),
      { numRuns: 200 },
    );
  });

  test('does so with the checksums made right again', () => {
    fc.assert(
      fc.property(mutations(footerOffset(whole)), (mutate) => {
        const tables = mutate(whole.slice(0, footerOffset(whole)));
        const bytes = whole.slice();
        bytes.set(tables);
        expect([original, REFUSED]).toContainEqual(decodeOrRefuse(resealBlock(bytes)));
      }),
      { numRuns: 600 },
    );
  });

  test('refuses every cut end', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeBlock(whole.subarray(0, length))).toThrow(FleetflameError);
    }
  });

  test('refuses bytes that were put before or after it', () => {
    const longer = new Uint8Array(whole.length + 8);
    longer.set(whole);
    expect(() => decodeBlock(longer)).toThrow(FleetflameError);
    longer.set(whole, 8);
    expect(() => decodeBlock(longer)).toThrow(FleetflameError);
  });

  test('gives a valid block or refuses a footer with other numbers', () => {
    const number = fc.oneof(
      fc.constantFrom(0n, 1n, 2n ** 31n, 2n ** 32n - 1n),
      fc.bigInt(0n, 2n ** 63n - 1n),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 14 }), fc.integer({ min: 0, max: 5 }), number, (field, i, n) => {
        const small = Number(n & 0xffff_ffffn);
        const bytes = resealBlock(whole, (footer) => {
          const table = footer.tables[i]!;
          const dataset = footer.datasets[0]!;
          const edits = [
            () => (footer.formatVersion = small),
            () => (footer.timeStartMs = n),
            () => (footer.timeEndMs = n),
            () => (table.offset = n),
            () => (table.sizeBytes = n),
            () => (table.rows = n),
            () => (table.name = `x${i}`),
            () => (dataset.seriesStart = small),
            () => (dataset.seriesCount = small),
            () => (dataset.sampleStart = small),
            () => (dataset.sampleCount = small),
            () => (dataset.timeMinMs = n),
            () => (dataset.timeMaxMs = n),
            () => (dataset.total = n),
            () => (footer.datasets = []),
          ];
          edits[field]?.();
        });
        const outcome = orRefused(() => {
          validateBlock(decodeBlock(bytes));
          return ['valid'];
        });
        expect([['valid'], REFUSED]).toContainEqual(outcome);
      }),
      { numRuns: 200 },
    );
  });
});

describe('readBlock on bytes that were damaged', () => {
  test.each([true, false])('gives equal samples or refuses them, with points: %s', async (points) => {
    // A filter keeps readBlock from reading samples whole, where their checksum would tell.
    const options = { points, datasets: () => true };
    const { block: expected } = await readBlock(bytesSource(whole), options);
    await fc.assert(
      fc.asyncProperty(mutations(footerOffset(whole)), async (mutate) => {
        const bytes = whole.slice();
        bytes.set(mutate(whole.slice(0, footerOffset(whole))));
        const outcome = await readBlock(bytesSource(resealBlock(bytes)), options).then(
          ({ block: read }) => describeBlock(read),
          (error: unknown) => (error instanceof FleetflameError ? REFUSED : Promise.reject(error)),
        );
        expect([describeBlock(expected), REFUSED]).toContainEqual(outcome);
      }),
      { numRuns: 200 },
    );
  });
});

describe('decodeBlock on columns that say something else', () => {
  test('refuses what validateBlock refuses and reads what it accepts', () => {
    const word = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(0x7fff_ffff, 0xffff_ffff));
    fc.assert(
      fc.property(arbitraryBlock(), fc.nat(), fc.nat(), word, (sound, column, row, value) => {
        const changed = structuredClone(sound);
        const { series, samples, stacks, locations, functions, mappings } = changed;
        const columns = [series, samples, stacks, locations, functions, mappings]
          .flatMap((table): unknown[] => Object.values(table))
          .filter((array) => array instanceof Uint32Array || array instanceof Float64Array)
          .filter((array) => array.length > 0);
        const array = columns[column % columns.length]!;
        // The writer, which trusts offsets, would count up to them.
        const offsets = [series.labelStart, samples.pointStart, locations.lineStart];
        array[row % array.length] = offsets.some((o) => o === array) ? value % 1000 : value;
        const expected = orRefused(() => {
          validateBlock(changed);
          return describeBlock(changed);
        });
        // What is refused in memory may not reach the bytes, such as offsets of an empty table.
        expect([decodeOrRefuse(encodeOrNothing(changed)), REFUSED]).toContainEqual(expected);
      }),
      { numRuns: 200 },
    );
  });
});

/** No bytes for what cannot even be written; they are refused, too. */
function encodeOrNothing(block: Block): Uint8Array {
  try {
    return encodeUnchecked(block);
  } catch {
    return new Uint8Array(0);
  }
}
