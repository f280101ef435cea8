import type { Block } from '@fleetflame/profile';

/** Rough cost of one short string with its place in the table. */
const STRING_BYTES = 64;

/** About what a decoded block holds in memory, in bytes: what ingest's budgets count. */
export function blockMemoryBytes(block: Block): number {
  const { series, samples, stacks, locations, functions, mappings, strings } = block;
  return (
    series.length * 16 +
    series.labelName.length * 8 +
    samples.length * 20 +
    samples.time.length * 12 +
    stacks.length * 8 +
    locations.length * 16 +
    locations.lineFunction.length * 8 +
    functions.length * 16 +
    mappings.length * 9 +
    strings.length * STRING_BYTES
  );
}
