import { MAPPING_KINDS, type Block, type LocationIndex } from '../block/block.ts';
import { touchedStacks, type StackSums } from './stack-sums.ts';

/** One source line of a native address. */
export interface SymbolLine {
  /** For people; demangled. */
  readonly name: string;
  /** As in the binary. */
  readonly systemName: string;
  readonly filename: string;
  /** Line on which the function begins, 0 is unknown. */
  readonly startLine: number;
  /** Line of the address, 0 is unknown. */
  readonly line: number;
}

/** Why a frame has no name. */
export const UNNAMED_REASONS = [
  'no_build_id',
  'not_uploaded',
  'no_symbols',
  'not_covered',
  'no_mapping',
] as const;
export type UnnamedReason = (typeof UNNAMED_REASONS)[number];

/**
 * The lines of a native address, innermost inline first, or why there are none. The same array for
 * addresses of the same lines makes it cheap to see that they are.
 */
export type Symbolize = (
  buildId: string,
  address: number,
  /** The address is an offset in the file. */
  isOffset: boolean,
) => readonly SymbolLine[] | UnnamedReason;

/** Names nothing: every build id is unknown. */
export const symbolizeNothing: Symbolize = () => 'not_uploaded';

const KERNEL = MAPPING_KINDS.indexOf('kernel');
const JIT = MAPPING_KINDS.indexOf('jit');
const NATIVE_OFFSET = MAPPING_KINDS.indexOf('native_offset');
const INTERPRETED = MAPPING_KINDS.indexOf('interpreted');

/** Addresses from here on are not safe integers; no binary has them. */
const TOO_HIGH = 0x20_0000;

/** Asks for the lines of a location that has none of its own; `addresses`: `addressHalves` of the block. */
export function symbolizeLocation(
  block: Block,
  location: LocationIndex,
  addresses: Uint32Array,
  symbolize: Symbolize,
): readonly SymbolLine[] | UnnamedReason {
  const mapping = block.locations.mapping[location]!;
  if (mapping === 0) return 'no_mapping';
  const kind = block.mappings.kind[mapping]!;
  // The agent names these itself: what it left without a name, its tables do not cover.
  if (kind === KERNEL || kind === JIT || kind === INTERPRETED) return 'not_covered';
  const buildId = block.strings.at(block.mappings.buildId[mapping]!);
  if (buildId === '') return 'no_build_id';
  const high = addresses[location * 2 + 1]!;
  if (high >= TOO_HIGH) return 'not_covered';
  return symbolize(buildId, high * 0x1_0000_0000 + addresses[location * 2]!, kind === NATIVE_OFFSET);
}

/** Low and high half of each address, without making a bigint of it. */
export function addressHalves(addresses: BigUint64Array): Uint32Array {
  return new Uint32Array(addresses.buffer, addresses.byteOffset, addresses.length * 2);
}

/** With so many stacks per summed one, it is cheaper to look at all locations than to find those in use. */
const FEW_STACKS = 8;

/**
 * Build ids whose symbols the summed stacks need, without repeats. When most of the block is summed,
 * all that the block needs.
 */
export function buildIdsToSymbolize(block: Block, sums: StackSums): string[] {
  const { locations, mappings, stacks, strings } = block;
  const wanted = new Uint8Array(mappings.length);
  const note = (location: LocationIndex): void => {
    if (locations.lineStart[location] === locations.lineStart[location + 1])
      wanted[locations.mapping[location]!] = 1;
  };
  const summed = sums.groups.reduce((count, group) => count + group.stacks.length, 0);
  if (summed * FEW_STACKS >= stacks.length) {
    for (let location = 0; location < locations.length; location++) note(location);
  } else {
    const touched = touchedStacks(block, sums);
    for (let s = 1; s < stacks.length; s++) if (touched[s] === 1) note(stacks.location[s]!);
  }
  const buildIds = new Set<string>();
  for (let m = 1; m < mappings.length; m++) {
    const buildId = strings.at(mappings.buildId[m]!);
    if (wanted[m] === 1 && buildId !== '') buildIds.add(buildId);
  }
  return [...buildIds];
}
