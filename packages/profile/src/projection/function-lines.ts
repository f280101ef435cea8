/**
 * Where the value of one function lies: its lines and its builds. Works on stacks and locations, since
 * the tree of a flame graph does not know lines:
 *
 *   location ──its lines──▶ those of the function ──▶ self: leaves whose innermost line it is
 *                                                └──▶ total: subtrees, each line once per stack
 */
import type { Block, LocationIndex, StackIndex } from '../block/block.ts';
import { baseName } from './block-frames.ts';
import { UNKNOWN_BINARY } from './frame-interner.ts';
import type { StackSums } from './stack-sums.ts';
import { addressHalves, symbolizeLocation, symbolizeNothing, type Symbolize } from './symbolize.ts';

/** What identifies a function: called and inlined are one. */
export interface FunctionName {
  readonly name: string;
  readonly filename: string;
  /** Base name. */
  readonly binary: string;
}

export interface FunctionLine {
  /** 0 is unknown. */
  readonly line: number;
  readonly self: number;
  readonly total: number;
}

export interface FunctionBuild {
  /** Path of the binary. */
  readonly file: string;
  readonly buildId: string;
  readonly self: number;
  readonly total: number;
}

/** Sums of one line or build. */
interface Sums {
  self: number;
  total: number;
}

export class FunctionLines {
  self = 0;
  /** Recursion counts once. */
  total = 0;
  /** Of self, what was spent where the function is inlined. */
  inlinedSelf = 0;
  readonly #function: FunctionName;
  readonly #lines = new Map<number, Sums>();
  readonly #builds = new Map<string, Sums & { readonly file: string; readonly buildId: string }>();

  constructor(name: FunctionName) {
    this.#function = name;
  }

  /** Distinct lines so far: callers bound them. */
  get lineCount(): number {
    return this.#lines.size;
  }

  /** Largest self first, then total, then by line. */
  get lines(): FunctionLine[] {
    return Array.from(this.#lines, ([line, sums]) => ({ line, ...sums })).sort(
      (a, b) => b.self - a.self || b.total - a.total || a.line - b.line,
    );
  }

  /** Largest self first, then total, then by path. */
  get builds(): FunctionBuild[] {
    return [...this.#builds.values()].sort(
      (a, b) => b.self - a.self || b.total - a.total || (a.file + a.buildId < b.file + b.buildId ? -1 : 1),
    );
  }

  /** Adds the sums of `sumStacks(block, selection, [])`. */
  addBlock(block: Block, sums: StackSums, symbolize: Symbolize = symbolizeNothing): void {
    const places = new FunctionPlaces(block, this.#function, symbolize);
    if (!places.mayOccur) return;
    const { parent, location, length } = block.stacks;
    const self = new Float64Array(length);
    for (const group of sums.groups) {
      for (let i = 0; i < group.stacks.length; i++) self[group.stacks[i]!] = group.sums[i]!;
    }
    const total = self.slice();
    for (let s = length - 1; s > 0; s--) total[parent[s]!] = total[parent[s]!]! + total[s]!;
    // The nearest stack row at or above each one whose location is in the function; 0: none.
    const nearest = new Uint32Array(length);
    for (let s = 1; s < length; s++) {
      const above = nearest[parent[s]!]!;
      nearest[s] = above;
      if (total[s] === 0 && self[s] === 0) continue;
      const lines = places.linesAt(location[s]!);
      if (lines.length === 0) continue;
      nearest[s] = s;
      this.#add(block, s, { lines, above, self: self[s]!, total: total[s]! }, nearest, places);
    }
  }

  #add(
    block: Block,
    stack: StackIndex,
    found: {
      readonly lines: readonly number[];
      readonly above: StackIndex;
      readonly self: number;
      readonly total: number;
    },
    nearest: Uint32Array,
    places: FunctionPlaces,
  ): void {
    const { parent, location } = block.stacks;
    const at = location[stack]!;
    const { lines, above, total } = found;
    const self = places.isInnermost(at) ? found.self : 0;
    const build = this.#build(block, at);
    this.self += self;
    build.self += self;
    if (places.isInlined(at)) this.inlinedSelf += self;
    if (above === 0) {
      this.total += total;
      build.total += total;
    }
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!;
      const sums = this.#line(line);
      // Self is spent on the innermost line.
      if (i === 0) sums.self += self;
      let isCounted = lines.indexOf(line) < i;
      for (let up = above; up !== 0 && !isCounted; up = nearest[parent[up]!]!) {
        isCounted = places.linesAt(location[up]!).includes(line);
      }
      if (!isCounted) sums.total += total;
    }
  }

  #line(line: number): Sums {
    let sums = this.#lines.get(line);
    if (sums === undefined) this.#lines.set(line, (sums = { self: 0, total: 0 }));
    return sums;
  }

  #build(block: Block, location: LocationIndex): Sums {
    const { mappings, strings } = block;
    const mapping = block.locations.mapping[location]!;
    const file = strings.at(mappings.file[mapping]!);
    const buildId = strings.at(mappings.buildId[mapping]!);
    const key = `${buildId} ${file}`;
    let sums = this.#builds.get(key);
    if (sums === undefined) this.#builds.set(key, (sums = { file, buildId, self: 0, total: 0 }));
    return sums;
  }
}

const NONE: readonly number[] = [];

/** Which locations of a block lie in the function, and on which of its lines, innermost first. */
class FunctionPlaces {
  /** False: no mapping of the block is of the function's binary. */
  readonly mayOccur: boolean;
  readonly #block: Block;
  readonly #function: FunctionName;
  readonly #symbolize: Symbolize;
  readonly #addresses: Uint32Array;
  /** The address that stands for the name where the function has none. */
  readonly #unnamedAddress: bigint | undefined;
  /** 1: of the function's binary. */
  readonly #mappings: Uint8Array;
  /** 1: the function, for lines that the block holds itself. */
  readonly #functions: Uint8Array;
  /** By location; undefined: not looked at. */
  readonly #lines: (readonly number[] | undefined)[];
  /** INNERMOST and INLINED bits by location, once looked at. */
  readonly #flags: Uint8Array;

  constructor(block: Block, name: FunctionName, symbolize: Symbolize) {
    const { functions, mappings, strings } = block;
    this.#block = block;
    this.#function = name;
    this.#symbolize = symbolize;
    this.#addresses = addressHalves(block.locations.address);
    this.#mappings = new Uint8Array(mappings.length);
    for (let m = 0; m < mappings.length; m++) {
      if (baseName(strings.at(mappings.file[m]!)) === name.binary) this.#mappings[m] = 1;
    }
    const unnamed = /^(.*)\+0x([0-9a-f]+)$/u.exec(name.name);
    if (unnamed !== null && unnamed[1] === (name.binary || UNKNOWN_BINARY) && name.filename === '')
      this.#unnamedAddress = BigInt(`0x${unnamed[2]}`);
    this.mayOccur = this.#mappings.includes(1);
    this.#functions = new Uint8Array(functions.length);
    for (let f = 0; f < functions.length; f++) {
      const isIt =
        strings.at(functions.name[f]!) === name.name && strings.at(functions.filename[f]!) === name.filename;
      if (isIt) this.#functions[f] = 1;
    }
    this.#lines = Array.from({ length: block.locations.length });
    this.#flags = new Uint8Array(block.locations.length);
  }

  /** Lines of the function at a location: more than one where it is inlined into itself. */
  linesAt(location: LocationIndex): readonly number[] {
    if (this.#mappings[this.#block.locations.mapping[location]!] === 0) return NONE;
    return (this.#lines[location] ??= this.#find(location));
  }

  /** The location's innermost line is the function's. */
  isInnermost(location: LocationIndex): boolean {
    return (this.#flags[location]! & INNERMOST) !== 0;
  }

  /** The function is innermost there, and inlined. */
  isInlined(location: LocationIndex): boolean {
    return (this.#flags[location]! & INLINED) !== 0;
  }

  #find(location: LocationIndex): readonly number[] {
    const { functions, locations } = this.#block;
    const start = locations.lineStart[location]!;
    const end = locations.lineStart[location + 1]!;
    const found: number[] = [];
    const note = (position: number, count: number, line: number): void => {
      found.push(line);
      if (position === 0) this.#flags[location] = count > 1 ? INNERMOST | INLINED : INNERMOST;
    };
    const isAddress = locations.address[location] === this.#unnamedAddress;
    if (end > start) {
      for (let line = start; line < end; line++) {
        const fn = locations.lineFunction[line]!;
        const isIt = functions.name[fn] === 0 ? isAddress : this.#functions[fn] === 1;
        if (!isIt) continue;
        note(line - start, end - start, locations.lineNumber[line]!);
      }
      return found;
    }
    const lines = symbolizeLocation(this.#block, location, this.#addresses, this.#symbolize);
    if (typeof lines === 'string' || lines.length === 0) {
      if (isAddress) note(0, 1, 0);
      return found;
    }
    const { name, filename } = this.#function;
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!;
      if (line.name === name && line.filename === filename) note(i, lines.length, line.line);
    }
    return found;
  }
}

const INNERMOST = 1;
const INLINED = 2;
