import { readFileSync } from 'node:fs';
import { scaled } from '@fleetflame/testing';
import { bufferSource, compactElf, ElfError, ElfFile, type ElfSection } from '@fleetflame/elf';
import { buildProgram, PROGRAMS } from '@fleetflame/elf/testing';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSymbolTable } from '../decode-symbol-table.ts';
import { convertBinary } from './convert-binary.ts';

/** Converts; true when the result is a table that passes all checks, or an ElfError says why there is none. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  try {
    const buildId = ElfFile.parse(bufferSource(bytes)).identity ?? '';
    // Demangling has tests of its own; here it would start thousands of processes.
    const { table, symbols } = await convertBinary(bufferSource(bytes), buildId, {
      demangle: { limits: { processes: 0 } },
    });
    return (await decodeSymbolTable(table)).size === symbols;
  } catch (error) {
    if (error instanceof ElfError) return true;
    throw error;
  }
}

const EDGES = [0, 1, 2, 10, 0x7f, 0xff, 0xffff, 0x1000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

function within(section: ElfSection): fc.Arbitrary<number> {
  return fc.integer({ min: section.offset, max: section.offset + section.size - 1 });
}

/** Places in what the readers of symbols read: headers of the sections, and their contents. */
function places(bytes: Uint8Array): fc.Arbitrary<number> {
  const { sections } = ElfFile.parse(bufferSource(bytes));
  const headers = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(40, true));
  const read = sections.filter(
    (one) => /^\.(symtab|strtab|dynsym|dynstr|gopclntab|rela\.plt)$/.test(one.name) && one.type !== 8,
  );
  return fc.oneof(
    fc.integer({ min: headers, max: bytes.length - 1 }),
    ...read.filter((one) => one.size > 0).map(within),
  );
}

describe('converting broken binaries', () => {
  it.each([
    ['C', PROGRAMS.c, 150],
    ['C++', PROGRAMS.cpp, 80],
    ['stripped Go', PROGRAMS.goExternalPieStripped, 60],
  ] as const)('gives a sound table or an ElfError: %s', async (_what, program, numRuns) => {
    const sample = compactElf(bufferSource(readFileSync(buildProgram(program))));
    const change = fc.tuple(
      places(sample),
      fc.oneof(fc.constantFrom(...EDGES), fc.nat(0xffff_ffff)),
      fc.constantFrom(1, 2, 4),
    );
    const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
      const bytes = new Uint8Array(sample);
      for (const [at, value, width] of changes) {
        for (let byte = 0; byte < width; byte++) bytes[at + byte] = (value >>> (8 * byte)) & 255;
      }
      return await survives(bytes);
    });
    await expect(fc.assert(property, { numRuns: scaled(numRuns) })).resolves.toBeUndefined();
  });
});
