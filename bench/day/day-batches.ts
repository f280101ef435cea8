/**
 * Makes a day of batches out of some minutes of captured ones. Each is one captured batch, chosen at
 * random, moved in time and changed, so that the day is not the same stacks again and again:
 *
 *   rows      some are left out: one in eight, or more for a host with less to do
 *   leaves    one of eight native leaf addresses near the captured one: more distinct stacks
 *   JIT code  lies elsewhere in each hour, or longer time, as if its process had been started anew; names stay
 */
import { BlockBuilder, MAPPING_KINDS, type Block } from '@fleetflame/profile';

const HOUR_MS = 3_600_000;
const LEAF_VARIANTS = 8;
const LEAF_STEP = 4n;
const JIT_SHIFT = 1n << 28n;
const JIT = MAPPING_KINDS.indexOf('jit');
const NATIVE = MAPPING_KINDS.indexOf('native');

/** mulberry32: small, fast, seeded. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What kind of host the day is of. */
export interface HostKind {
  /** Share of the captured rows that a batch has. */
  readonly kept: number;
  /** How long JIT code stays where it is. */
  readonly jitHours: number;
}

/** The batch of the window that starts at `startMs`; the same for the same time, captured batches and kind. */
export function batchAt(captured: readonly Block[], startMs: number, kind: HostKind): Block {
  const random = generator(Math.floor(startMs / 1000));
  const block = captured[Math.floor(random() * captured.length)]!;
  return varied(block, startMs, kind, random);
}

function varied(block: Block, startMs: number, kind: HostKind, random: () => number): Block {
  const generation = BigInt(Math.floor(startMs / (kind.jitHours * HOUR_MS)) % 24);
  const { strings, series, samples, stacks, mappings } = block;
  const builder = new BlockBuilder();
  const location = locationCopier(block, builder, generation);
  const stackOf = new Map<number, number>([[0, 0]]);
  const copyStack = (stack: number): number => {
    let copy = stackOf.get(stack);
    if (copy === undefined) {
      copy = builder.stack(copyStack(stacks.parent[stack]!), location(stacks.location[stack]!, 0n));
      stackOf.set(stack, copy);
    }
    return copy;
  };
  const seriesOf = Array.from({ length: series.length }, (_, row) => {
    const labels: Record<string, string> = {};
    for (let label = series.labelStart[row]!; label < series.labelStart[row + 1]!; label++) {
      labels[strings.at(series.labelName[label]!)] = strings.at(series.labelValue[label]!);
    }
    return builder.series(strings.at(series.profileType[row]!), series.period[row]!, labels);
  });
  for (let row = 0; row < samples.length; row++) {
    if (random() >= kind.kept) continue;
    const stack = samples.stack[row]!;
    const leaf = stacks.location[stack]!;
    const native = mappings.kind[block.locations.mapping[leaf]!] === NATIVE;
    for (let point = samples.pointStart[row]!; point < samples.pointStart[row + 1]!; point++) {
      const variant = native ? BigInt(Math.floor(random() * LEAF_VARIANTS)) * LEAF_STEP : 0n;
      const copy =
        variant === 0n || stack === 0
          ? copyStack(stack)
          : builder.stack(copyStack(stacks.parent[stack]!), location(leaf, variant));
      builder.add(
        seriesOf[samples.series[row]!]!,
        copy,
        startMs + samples.time[point]!,
        samples.value[point]!,
      );
    }
  }
  for (const [cause, lost] of block.losses) builder.loss(cause, lost);
  return builder.build();
}

/** Copies locations of a block, moved by `shift`; JIT code by the generation as well. */
function locationCopier(
  block: Block,
  builder: BlockBuilder,
  generation: bigint,
): (location: number, shift: bigint) => number {
  const { strings, locations, functions, mappings } = block;
  const known = new Map<number, number>();
  const string = (index: number): number => builder.string(strings.at(index));
  const copy = (location: number, shift: bigint): number => {
    const mapping = locations.mapping[location]!;
    const kind = MAPPING_KINDS[mappings.kind[mapping]!] ?? 'unknown';
    const file = builder.mapping(string(mappings.file[mapping]!), string(mappings.buildId[mapping]!), kind);
    const moved = mappings.kind[mapping] === JIT ? generation * JIT_SHIFT : 0n;
    const address = locations.address[location]! + shift + moved;
    const lines: number[] = [];
    for (let line = locations.lineStart[location]!; line < locations.lineStart[location + 1]!; line++) {
      const fn = locations.lineFunction[line]!;
      const copied = builder.function(
        string(functions.name[fn]!),
        string(functions.systemName[fn]!),
        string(functions.filename[fn]!),
        functions.startLine[fn]!,
      );
      lines.push(copied, locations.lineNumber[line]!);
    }
    return builder.location(file, Number(address & 0xffff_ffffn), Number(address >> 32n), lines);
  };
  return (location, shift) => {
    if (shift !== 0n) return copy(location, shift);
    let index = known.get(location);
    if (index === undefined) {
      index = copy(location, 0n);
      known.set(location, index);
    }
    return index;
  };
}
