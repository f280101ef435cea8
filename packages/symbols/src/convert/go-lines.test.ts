import { readFileSync } from 'node:fs';
import { testSeed } from '@fleetflame/testing';
import { bufferSource, ElfFile } from '@fleetflame/elf';
import { buildProgram, PROGRAMS } from '@fleetflame/elf/testing';
import { expect, it } from 'vitest';
import { decodeSymbolTable } from '../decode-symbol-table.ts';
import { debugTable, ownChain, randomAddresses } from '../testing/index.ts';
import { convertBinary } from './convert-binary.ts';

const ADDRESSES = 3000;

/** From Go's own table only, although there is debug information. */
async function withoutDebug(path: string): Promise<Awaited<ReturnType<typeof debugTable>>> {
  const source = bufferSource(readFileSync(path));
  const conversion = await convertBinary(source, ElfFile.parse(source).identity ?? '');
  return { conversion, table: await decodeSymbolTable(conversion.table) };
}

it.each(['go', 'goPie', 'goExternal'] as const)(
  "lines of Go's function table are those of the debug information, and unknown in inlined code: %s",
  async (program) => {
    const path = buildProgram(PROGRAMS[program]);
    const debug = await debugTable(path);
    const { conversion, table } = await withoutDebug(path);
    expect(conversion).toMatchObject({ source: 'symtab', problem: '', inlines: 0 });
    expect(conversion.lineRows).toBeGreaterThan(10_000);
    const seed = testSeed();
    const counts = { same: 0, inlined: 0 };
    const different: string[] = [];
    for (const address of randomAddresses(table, ADDRESSES, seed)) {
      const chain = ownChain(debug.table, address);
      const [own] = ownChain(table, address);
      // C code, of which Go's table knows nothing.
      if (own === undefined || chain[0]?.line === 0 || !chain.at(-1)?.file.endsWith('.go')) continue;
      if (chain.length > 1 && own.line === 0) counts.inlined++;
      else if (chain.length === 1 && own.line === chain[0]?.line && own.file === chain[0].file) counts.same++;
      else
        different.push(
          `0x${address.toString(16)} ${JSON.stringify(own)} instead of ${JSON.stringify(chain)}`,
        );
    }
    // Where code of several calls is mixed, Go's two descriptions differ by an instruction here and there.
    expect(different.length, `seed ${seed}\n${different.join('\n')}`).toBeLessThan(ADDRESSES / 300);
    expect(counts.same).toBeGreaterThan(ADDRESSES / 2);
    expect(counts.inlined).toBeGreaterThan(ADDRESSES / 50);
  },
);

it('stripped Go programs have lines', async () => {
  const { conversion, table } = await withoutDebug(buildProgram(PROGRAMS.goStripped));
  expect(conversion).toMatchObject({ source: 'gopclntab', problem: '' });
  const files = new Set(
    randomAddresses(table, 200, 1).map((address) => ownChain(table, address)[0]?.file ?? ''),
  );
  expect([...files].some((file) => file.endsWith('runtime/proc.go'))).toBe(true);
});
