/**
 * From a block's locations to frames. The frames of a location (several where code was inlined) are
 * looked up once and kept as a chain of numbers:
 *
 *   location ──chainOf──▶ chains: [count, outermost frame, ..., innermost frame]
 */
import { MAPPING_KINDS, type Block, type LocationIndex } from '../block/block.ts';
import { STOPPED_MAPPING_FILE } from '../block/stopped-stacks.ts';
import { FRAME_KINDS, type FrameIndex, type FrameKind } from './flame-table.ts';
import type { FlameTree, TreeNode } from './flame-tree.ts';
import { grown, type FrameInterner } from './frame-interner.ts';
import {
  addressHalves,
  symbolizeLocation,
  UNNAMED_REASONS,
  type Symbolize,
  type SymbolLine,
  type UnnamedReason,
} from './symbolize.ts';

/** Value of leaf frames without a name. */
export interface UnnamedSelf {
  /** Base name of the binary. */
  readonly binary: string;
  readonly buildId: string;
  readonly reason: UnnamedReason;
  readonly self: number;
}

const FRAME_KIND_OF_MAPPING: Readonly<Record<(typeof MAPPING_KINDS)[number], FrameKind>> = {
  unknown: 'unknown',
  native: 'native',
  kernel: 'kernel',
  jit: 'jit',
  interpreted: 'interpreted',
  vdso: 'native',
  native_offset: 'native',
};
const FRAME_KIND_NUMBER = MAPPING_KINDS.map((kind) => FRAME_KINDS.indexOf(FRAME_KIND_OF_MAPPING[kind]));
const INLINED = FRAME_KINDS.indexOf('inlined');
const STOPPED = FRAME_KINDS.indexOf('stopped');

/** What has been found out about the frames of a block's locations; does not hold the block. */
export class LocationFrames {
  /** Whose numbers the frames are. */
  readonly interner: FrameInterner;
  /** Position in `chains` of a location's frames, 0: not looked up. */
  readonly chainOf: Uint32Array;
  /** Number of frames, then the frames, outermost first. Entry 0 is unused. */
  chains: Uint32Array;
  chainEnd = 1;
  /** UNNAMED_REASONS number + 1 of locations without a name. */
  readonly reasonOf: Uint8Array;

  constructor(locations: number, interner: FrameInterner) {
    this.interner = interner;
    this.chainOf = new Uint32Array(locations);
    this.reasonOf = new Uint8Array(locations);
    // Most locations are one frame.
    this.chains = new Uint32Array(Math.max(64, locations * 2));
  }

  /** Bytes that it holds, roughly. */
  get sizeBytes(): number {
    return 500 + this.chainOf.length * 5 + this.chains.length * 4;
  }

  /** Room for a chain of so many frames; where it begins. */
  reserve(length: number): number {
    const chain = this.chainEnd;
    this.chainEnd += 1 + length;
    if (this.chainEnd > this.chains.length) {
      this.chains = grown(this.chains, new Uint32Array(Math.max(this.chainEnd, this.chains.length * 2)));
    }
    this.chains[chain] = length;
    return chain;
  }
}

/** Looks frames of a block up when they are first needed. */
export class BlockFrames {
  readonly #block: Block;
  readonly #known: LocationFrames;
  readonly #interner: FrameInterner;
  readonly #symbolize: Symbolize;
  /** Low and high half of each location's address. */
  readonly #addresses: Uint32Array;
  /** The frames of what was symbolized last in a mapping, by the lines that came back. */
  readonly #chainOfLines = new Map<readonly SymbolLine[], { mapping: number; chain: number }>();
  /** Interner's string number + 1 of each string of the block, 0: not asked. */
  readonly #stringOf: Uint32Array;
  /** Interner's string number + 1 of the base name of each mapping's file. */
  readonly #binaryOf: Uint32Array;
  /** 1: a stack that was descended passes through the mapping. */
  readonly #usedMappings: Uint8Array;

  constructor(block: Block, known: LocationFrames, symbolize: Symbolize) {
    this.#block = block;
    this.#known = known;
    this.#interner = known.interner;
    this.#symbolize = symbolize;
    this.#addresses = addressHalves(block.locations.address);
    this.#stringOf = new Uint32Array(block.strings.length);
    this.#binaryOf = new Uint32Array(block.mappings.length);
    this.#usedMappings = new Uint8Array(block.mappings.length);
  }

  /** The node below `node` that the location's frames lead to. */
  descend(tree: FlameTree, node: TreeNode, location: LocationIndex): TreeNode {
    this.#usedMappings[this.#block.locations.mapping[location]!] = 1;
    const chain = this.#known.chainOf[location]! || this.#resolve(location);
    const chains = this.#known.chains;
    const end = chain + chains[chain]!;
    let at = node;
    for (let i = chain + 1; i <= end; i++) at = tree.child(at, chains[i]!);
    return at;
  }

  /** Binary and build id of each mapping that `descend` has met. */
  *builds(): Iterable<readonly [binary: string, buildId: string]> {
    const { mappings, strings } = this.#block;
    for (let m = 1; m < mappings.length; m++) {
      if (this.#usedMappings[m] === 0) continue;
      yield [this.#interner.strings[this.#binary(m)]!, strings.at(mappings.buildId[m]!)];
    }
  }

  /** Of the values of leaves, one per location, those without a name. */
  *unnamed(leafSelf: Float64Array): Iterable<UnnamedSelf> {
    const { locations, mappings, strings } = this.#block;
    const { reasonOf } = this.#known;
    const reasons = UNNAMED_REASONS.length;
    // Summed per mapping and reason first: there may be many thousand such leaves.
    const sums = new Float64Array(mappings.length * reasons);
    for (let location = 0; location < locations.length; location++) {
      if (leafSelf[location] === 0 || reasonOf[location] === 0) continue;
      const at = locations.mapping[location]! * reasons + reasonOf[location]! - 1;
      sums[at] = sums[at]! + leafSelf[location]!;
    }
    for (let at = 0; at < sums.length; at++) {
      if (sums[at] === 0) continue;
      const mapping = Math.floor(at / reasons);
      const binary = baseName(strings.at(mappings.file[mapping]!));
      const reason = UNNAMED_REASONS[at % reasons]!;
      yield { binary, buildId: strings.at(mappings.buildId[mapping]!), reason, self: sums[at]! };
    }
  }

  #noteUnnamed(location: LocationIndex, reason: UnnamedReason): void {
    this.#known.reasonOf[location] = UNNAMED_REASONS.indexOf(reason) + 1;
  }

  #resolve(location: LocationIndex): number {
    const { locations, mappings, strings } = this.#block;
    const start = locations.lineStart[location]!;
    const end = locations.lineStart[location + 1]!;
    const mapping = locations.mapping[location]!;
    const isMarker = strings.at(mappings.file[mapping]!) === STOPPED_MAPPING_FILE;
    const kind = isMarker ? STOPPED : (FRAME_KIND_NUMBER[mappings.kind[mapping]!] ?? 0);
    const chain = this.#resolveFrames(location, start, end, mapping, kind);
    this.#known.chainOf[location] = chain;
    return chain;
  }

  #resolveFrames(location: LocationIndex, start: number, end: number, mapping: number, kind: number): number {
    const known = this.#known;
    if (end > start) {
      const { locations, functions } = this.#block;
      const chain = known.reserve(end - start);
      if (functions.name[locations.lineFunction[start]!] === 0) this.#noteUnnamed(location, 'no_symbols');
      // Lines are innermost first, frames outermost first.
      for (let line = end - 1, at = chain + 1; line >= start; line--, at++) {
        const lineKind = line === end - 1 ? kind : INLINED;
        known.chains[at] = this.#functionFrame(location, locations.lineFunction[line]!, mapping, lineKind);
      }
      return chain;
    }
    const lines = symbolizeLocation(this.#block, location, this.#addresses, this.#symbolize);
    if (typeof lines === 'string' || lines.length === 0) {
      const chain = known.reserve(1);
      known.chains[chain + 1] = this.#unnamedFrame(location, mapping, kind);
      this.#noteUnnamed(location, typeof lines === 'string' ? lines : 'not_covered');
      return chain;
    }
    const same = this.#chainOfLines.get(lines);
    if (same?.mapping === mapping) return same.chain;
    const chain = known.reserve(lines.length);
    this.#chainOfLines.set(lines, { mapping, chain });
    const binary = this.#binary(mapping);
    const build = this.#build(mapping);
    const interner = this.#interner;
    for (let i = 0; i < lines.length; i++) {
      const { name, filename, startLine } = lines[lines.length - 1 - i]!;
      const frame = interner.internStrings(
        interner.string(name),
        interner.string(filename),
        binary,
        i === 0 ? kind : INLINED,
        1,
      );
      interner.notePlace(frame, build, startLine);
      known.chains[chain + 1 + i] = frame;
    }
    return chain;
  }

  #functionFrame(location: LocationIndex, fn: number, mapping: number, kind: number): FrameIndex {
    const { functions } = this.#block;
    const name = functions.name[fn]!;
    // A line whose function has no name says no more than the address.
    if (name === 0) return this.#unnamedFrame(location, mapping, kind);
    const frame = this.#interner.internStrings(
      this.#string(name),
      this.#string(functions.filename[fn]!),
      this.#binary(mapping),
      kind,
      1,
    );
    this.#interner.notePlace(frame, this.#build(mapping), functions.startLine[fn]!);
    return frame;
  }

  #unnamedFrame(location: LocationIndex, mapping: number, kind: number): FrameIndex {
    const address = this.#addresses;
    const binary = this.#binary(mapping);
    return this.#interner.internAddress(address[location * 2]!, address[location * 2 + 1]!, binary, kind);
  }

  #string(string: number): number {
    let known = this.#stringOf[string]!;
    if (known === 0) {
      known = this.#interner.string(this.#block.strings.at(string)) + 1;
      this.#stringOf[string] = known;
    }
    return known - 1;
  }

  #build(mapping: number): number {
    return this.#string(this.#block.mappings.buildId[mapping]!);
  }

  #binary(mapping: number): number {
    let known = this.#binaryOf[mapping]!;
    if (known === 0) {
      const file = this.#block.strings.at(this.#block.mappings.file[mapping]!);
      known = this.#interner.string(baseName(file)) + 1;
      this.#binaryOf[mapping] = known;
    }
    return known - 1;
  }
}

/** Last part of a path: libc.so.6 of /usr/lib/libc.so.6. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
