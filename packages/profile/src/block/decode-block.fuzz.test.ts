/** Bytes from nobody: the reader answers with an equal block or a FleetflameError, never otherwise. */
import { scaled } from '@fleetflame/testing';
import type { Dataset } from '@fleetflame/proto/block/v1/footer';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { FleetflameError } from '../errors.ts';
import { arbitraryBlock, blockFromText, describeBlock } from '../testing/index.ts';
import { footerOf, footerOffset, resealBlock } from '../testing/reseal-block.ts';
import type { Block } from './block.ts';
import { BlockBuilder } from './block-builder.ts';
import { WHOLE_BATCH_BYTES } from './container/layout.ts';
import { decodeBlock } from './decode-block.ts';
import { encodeBlock, encodeUnchecked } from './encode-block.ts';
import { mergeBlocks } from './merge-blocks.ts';
import { bytesSource } from './range-source.ts';
import { readBlock, type ReadBlockOptions } from './read-block.ts';
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

/** The tables changed, footer and trailer as they were. */
function damageTables(bytes: Uint8Array, mutate: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const out = bytes.slice();
  out.set(mutate(bytes.slice(0, footerOffset(bytes))));
  return out;
}

/** Throws for a block that is not valid. */
function checked(read: Block, points: boolean): string[] {
  validateBlock(read, { points });
  return ['valid'];
}

/** One dataset whose samples and whose points are over WHOLE_BATCH_BYTES. */
function largeBatch(): Block {
  const builder = new BlockBuilder();
  const series = builder.series('cpu', 1, { service_name: 'api' });
  for (let i = 0; i < 40_000; i++) {
    const stack = builder.stack(0, builder.location(0, i % 20_000, 0, []));
    const time = 1_700_000_000_000 + (Math.imul(i, 0x9e3779b1) >>> 8);
    builder.add(series, stack, time, 1 + (Math.imul(i, 0x85ebca6b) >>> 1));
  }
  return builder.build();
}

describe('decodeBlock on bytes that were damaged', () => {
  test('gives an equal block or refuses flipped, overwritten and swapped bytes', () => {
    fc.assert(
      fc.property(mutations(whole.length), (mutate) => {
        expect([original, REFUSED]).toContainEqual(decodeOrRefuse(mutate(whole)));
      }),
      { numRuns: scaled(200) },
    );
  });

  test('gives a valid block or refuses them with the checksums made right again', () => {
    fc.assert(
      fc.property(mutations(footerOffset(whole)), (mutate) => {
        const bytes = resealBlock(damageTables(whole, mutate));
        expect([['valid'], REFUSED]).toContainEqual(orRefused(() => checked(decodeBlock(bytes), true)));
      }),
      { numRuns: scaled(600) },
    );
  });

  test('refuses every flipped bit', () => {
    for (let at = 0; at < whole.length; at++) {
      const bytes = whole.slice();
      bytes[at]! ^= 1 << (at % 8);
      expect(decodeOrRefuse(bytes), `byte ${at}`).toEqual(REFUSED);
    }
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
      { numRuns: scaled(200) },
    );
  });
});

/** One of two services: samples are not read whole, where the checksum of their table would tell. */
const partial = [true, false].map((points) => ({
  points,
  datasets: ({ serviceName }: Dataset) => serviceName === 'api',
}));
const other = blockFromText('main;parse 5\nmain;idle 1', { labels: { service_name: 'db' } });

const readOrRefuse = (bytes: Uint8Array, options: ReadBlockOptions): Promise<string[]> =>
  readBlock(bytesSource(bytes), options).then(
    ({ block: read }) => describeBlock(read),
    (error: unknown) => (error instanceof FleetflameError ? REFUSED : Promise.reject(error)),
  );

/** Where the points begin, which the samples follow. */
function pointsOffset(bytes: Uint8Array): number {
  return Number(footerOf(bytes).tables.find(({ name }) => name === 'points')?.offset);
}

describe('readBlock on bytes that were damaged', () => {
  const small = encodeBlock(mergeBlocks([block, other]));
  const large = encodeBlock(mergeBlocks([largeBatch(), other]));

  test.each(partial)('gives equal samples or refuses them, with points: $points', async (options) => {
    const expected = await readOrRefuse(small, options);
    await fc.assert(
      fc.asyncProperty(mutations(footerOffset(small)), async (mutate) => {
        const bytes = damageTables(small, mutate);
        expect([expected, REFUSED]).toContainEqual(await readOrRefuse(bytes, options));
      }),
      { numRuns: scaled(200) },
    );
  });

  test.each(partial)('finds a flipped bit in any byte of small samples, points: $points', async (options) => {
    const expected = await readOrRefuse(small, options);
    const offset = pointsOffset(small);
    for (let at = offset; at < footerOffset(small); at++) {
      const bytes = small.slice();
      bytes[at]! ^= 1 << (at % 8);
      expect([expected, REFUSED]).toContainEqual(await readOrRefuse(bytes, options));
    }
  });

  test.each(partial)(
    'finds flipped bits of large batches, whose body it does not read whole',
    async (options) => {
      const expected = await readOrRefuse(large, options);
      const offset = pointsOffset(large);
      expect(footerOffset(large) - offset).toBeGreaterThan(2 * WHOLE_BATCH_BYTES);
      await fc.assert(
        fc.asyncProperty(position(footerOffset(large) - offset), fc.nat(7), async (at, bit) => {
          const bytes = large.slice();
          bytes[offset + at]! ^= 1 << bit;
          expect([expected, REFUSED]).toContainEqual(await readOrRefuse(bytes, options));
        }),
        { numRuns: scaled(50) },
      );
    },
  );

  test.each(partial)('gives a valid block or refuses them with all checksums made right', async (options) => {
    await fc.assert(
      fc.asyncProperty(mutations(footerOffset(small)), async (mutate) => {
        const bytes = resealBlock(damageTables(small, mutate));
        const outcome = await readBlock(bytesSource(bytes), options).then(
          ({ block: read }) => checked(read, options.points),
          (error: unknown) => (error instanceof FleetflameError ? REFUSED : Promise.reject(error)),
        );
        expect([['valid'], REFUSED]).toContainEqual(outcome);
      }),
      { numRuns: scaled(200) },
    );
  });

  test.each(['batchCrc32c', 'pointsCrc32c'] as const)('refuses a batch whose %s is another', async (name) => {
    const bytes = resealBlock(small, (footer) => (footer.datasets[0]![name] ^= 1));
    await expect(readBlock(bytesSource(bytes), partial[0])).rejects.toThrow(/checksum of the batch/u);
  });
});

describe('decodeBlock on columns that say something else', () => {
  test('refuses what validateBlock refuses and reads what it accepts', () => {
    const word = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(0x7fff_ffff, 0xffff_ffff));
    fc.assert(
      fc.property(arbitraryBlock(), fc.nat(), fc.nat(), word, (sound, column, row, value) => {
        const { strings, ...tables } = sound;
        const changed: Block = { ...structuredClone(tables), strings };
        const { series, samples, stacks, locations, functions, mappings } = changed;
        const columns = [series, samples, stacks, locations, functions, mappings]
          .flatMap((table): unknown[] => Object.values(table))
          .filter((array) => array instanceof Uint32Array || array instanceof Float64Array)
          .filter((array) => array.length > 0);
        const array = columns[column % columns.length]!;
        // The writer, which trusts offsets, would count up to them.
        const offsets = [series.labelStart, series.profileStart, samples.pointStart, locations.lineStart];
        array[row % array.length] = offsets.some((o) => o === array) ? value % 1000 : value;
        const expected = orRefused(() => {
          validateBlock(changed);
          return describeBlock(changed);
        });
        // What is refused in memory may not reach the bytes, such as offsets of an empty table.
        expect([decodeOrRefuse(encodeOrNothing(changed)), REFUSED]).toContainEqual(expected);
      }),
      { numRuns: scaled(200) },
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
