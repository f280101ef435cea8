import { readFileSync } from 'node:fs';
import { scaled } from '@fleetflame/testing';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteSource } from './byte-source.ts';
import { compactElf } from './compact-elf.ts';
import { CompactImage } from './compact-image.ts';
import { readDebugAltLink, readDebugLink } from './debug-links.ts';
import { ElfError } from './elf-error.ts';
import { ElfFile } from './elf-file.ts';
import { findGoPclntab } from './go-pclntab.ts';
import { buildProgram, PROGRAMS } from './testing/index.ts';

/**
 * Fails the test on a read that is not within the file, and on more reading than the file can be worth. Its buffer
 * is reused, so what a reader keeps without copying is spoilt.
 */
function strictSource(bytes: Uint8Array): ByteSource {
  let budget = bytes.length * 20 + 10_000_000;
  const buffer = new Uint8Array(bytes.length);
  return {
    size: bytes.length,
    read(offset, length) {
      if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
        throw new TypeError(`read(${offset}, ${length})`);
      }
      if (offset + length > bytes.length)
        throw new TypeError(`read(${offset}, ${length}) of ${bytes.length}`);
      budget -= length;
      if (budget < 0) throw new TypeError('reads the same bytes without end');
      buffer.set(bytes.subarray(offset, offset + length));
      return buffer.subarray(0, length);
    },
  };
}

/** Undefined for an ElfError; any other error fails the test. */
function resultOf<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ElfError) return undefined;
    throw error;
  }
}

/** Its beginning and its end, in parts of an odd size. */
function readEnds(image: CompactImage): void {
  for (let at = 0; at < Math.min(image.size, 1 << 19); at += 100_003) image.read(at, 100_003);
  image.read(Math.max(0, image.size - 100_003), 100_003);
}

function survives(bytes: Uint8Array): boolean {
  const table = resultOf(() => {
    const file = ElfFile.parse(strictSource(bytes));
    file.fileOffsetToAddress(0x1000);
    return findGoPclntab(file);
  });
  const compact = resultOf(() => compactElf(strictSource(bytes)));
  if (compact !== undefined) ElfFile.parse(strictSource(compact));
  // With debug sections; as the debug file of an intact binary; and the other way round.
  const intact = strictSource(SAMPLES[0] ?? new Uint8Array(0));
  const broken = strictSource(bytes);
  for (const [source, debugFile] of [
    [broken, undefined],
    [intact, broken],
    [broken, intact],
  ] as const) {
    resultOf(() =>
      readEnds(new CompactImage(source, { debugSections: true, ...(debugFile && { debugFile }) })),
    );
  }
  resultOf(() => readDebugLink(ElfFile.parse(broken, { relocatable: true })));
  resultOf(() => readDebugAltLink(ElfFile.parse(broken, { relocatable: true })));
  return (table?.bytes.length ?? 0) <= bytes.length && (compact?.length ?? 0) <= bytes.length * 2 + (1 << 20);
}

/** A failure prints the seed with which fast-check repeats it. */
function checking<T>(property: fc.IProperty<T>, numRuns: number): () => void {
  return () => fc.assert(property, { numRuns: scaled(numRuns) });
}

const SAMPLES = [PROGRAMS.c, PROGRAMS.goStripped, PROGRAMS.goExternalPieStripped].map((program) =>
  readFileSync(buildProgram(program)),
);

/** Values at which arithmetic on sizes and offsets goes wrong. */
const EDGES = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fff_ffffn,
  0xffff_ffffn,
  1n << 53n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

/** A header of Go's function table, and what follows it. */
const GO_HEADER_BYTES = 200;

/** Where something looks like the start of Go's function table of Go 1.18 or newer: magic, two zeros, 1, 8. */
function goTables(bytes: Uint8Array): number[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return [0xf0, 0xf1].flatMap((first) => {
    const at = file.indexOf(Buffer.from([first, 0xff, 0xff, 0xff, 0, 0, 1, 8]));
    return at < 0 ? [] : [at];
  });
}

/** Offsets where structure is: file header, program headers, section headers, the header and first entries of Go's function table. */
function structured(bytes: Uint8Array): fc.Arbitrary<number> {
  const table = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(40, true));
  return fc.oneof(
    fc.integer({ min: 0, max: 63 }),
    fc.integer({ min: 64, max: 900 }),
    fc.integer({ min: table, max: bytes.length - 8 }),
    ...goTables(bytes).map((start) => fc.integer({ min: start, max: start + GO_HEADER_BYTES })),
  );
}

describe('broken ELF files', () => {
  it.each(SAMPLES.map((_, index) => index))(
    'give an ElfError or a result: changed fields of sample %i',
    (index) => {
      const sample = SAMPLES[index] ?? new Uint8Array(0);
      const change = fc.tuple(
        structured(sample),
        fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })),
        fc.constantFrom(1, 2, 4, 8),
      );
      expect(
        checking(
          fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
            const bytes = new Uint8Array(sample);
            for (const [offset, value, width] of changes) {
              for (let byte = 0; byte < width; byte++)
                bytes[offset + byte] = Number((value >> BigInt(8 * byte)) & 0xffn);
            }
            return survives(bytes);
          }),
          150,
        ),
      ).not.toThrow();
    },
  );

  it('the samples have the function tables whose headers are changed', () => {
    expect(SAMPLES.map((sample) => goTables(sample).length > 0)).toEqual([false, true, true]);
  });

  it('give an ElfError or a result: cut off anywhere', () => {
    const sample = SAMPLES[1] ?? new Uint8Array(0);
    expect(
      checking(
        fc.property(fc.integer({ min: 0, max: sample.length }), (length) =>
          survives(sample.subarray(0, length)),
        ),
        60,
      ),
    ).not.toThrow();
  });

  it('give an ElfError or a result: a header and noise', () => {
    expect(
      checking(
        fc.property(fc.uint8Array({ minLength: 64, maxLength: 4096 }), (bytes) => {
          bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
          bytes.set([3, 0, 62, 0], 16);
          return survives(bytes);
        }),
        300,
      ),
    ).not.toThrow();
  });
});
