import { buildDebugProgram, debugTable, ownChain, randomAddresses } from '@fleetflame/symbols/testing';
import { expect, test } from 'vitest';
import { SymbolChains } from './symbol-chains.ts';

test('chains of inlined calls are those of the table, and equal ones are one array', async () => {
  const { table } = await debugTable(buildDebugProgram('clang, DWARF 5'));
  const chains = new SymbolChains(table);
  const seen = new Map<string, unknown>();
  let inlined = 0;
  for (const address of randomAddresses(table, 2000, 7)) {
    const chain = chains.at(address);
    expect(chains.at(address)).toBe(chain);
    if (typeof chain === 'string') throw new Error(`0x${address.toString(16)}: ${chain}`);
    const expected = ownChain(table, address);
    expect(chain.map((one) => one.systemName)).toEqual(expected.map((one) => one.name));
    expect(chain.at(-1)?.name).toBe(table.name(table.lookup(address)));
    // A line is one of the function's own file, or unknown.
    chain.forEach(({ filename, line }, at) => {
      const theirs = expected[at];
      expect(line).toBe(filename !== '' && theirs?.file === filename ? theirs.line : 0);
    });
    const text = chain.map(({ systemName, filename, line }) => `${systemName} ${filename}:${line}`).join();
    expect(seen.get(text) ?? chain).toBe(chain);
    seen.set(text, chain);
    if (chain.length > 1) inlined++;
  }
  expect(inlined).toBeGreaterThan(500);
  expect(chains.at(0)).toBe('not_covered');
});
