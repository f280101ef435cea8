import { STOPPED_MAPPING_FILE } from '../block/stopped-stacks.ts';
import { FRAME_KINDS } from './flame-table.ts';
import type { FlameBuilder } from './flame-builder.ts';

/** What an answer has of one binary, all its builds together. */
export interface BinarySums {
  /** Base name; "" for code in no known file. */
  readonly binary: string;
  /** Build ids of the code that stacks pass through, ascending; "" for none. */
  readonly buildIds: readonly string[];
  /** Value of samples whose leaf is in it. */
  readonly self: number;
  /** Of self, where the leaf has no name. */
  readonly unnamedSelf: number;
  /** Value of stacks whose callers are missing from this binary on. */
  readonly stopped: number;
}

const LABEL = FRAME_KINDS.indexOf('label');
const STOPPED = FRAME_KINDS.indexOf('stopped');

/** The binaries that stacks pass through: most unnamed first, then most stopped, then largest self, then by name. */
export function binarySums(builder: FlameBuilder): BinarySums[] {
  const { tree } = builder;
  const { frames } = tree;
  const selfOfFrame = new Float64Array(frames.length);
  for (let i = 1; i < tree.length; i++) {
    const frame = tree.frame[i]!;
    selfOfFrame[frame] = selfOfFrame[frame]! + tree.self[i]!;
  }
  const self = new Map<string, number>();
  for (let f = 1; f < frames.length; f++) {
    const kind = frames.kind[f]!;
    if (selfOfFrame[f] === 0 || kind === LABEL || kind === STOPPED) continue;
    const binary = frames.binaryOf(f);
    self.set(binary, (self.get(binary) ?? 0) + selfOfFrame[f]!);
  }
  const unnamed = sumBy(builder.unnamed.map((entry) => [entry.binary, entry.self]));
  const stopped = sumBy(builder.stopped.map((entry) => [entry.binary, entry.value]));
  const names = new Set([...self.keys(), ...builder.builds.keys()]);
  return Array.from(names, (binary) => ({
    binary,
    buildIds: [...(builder.builds.get(binary) ?? [''])].sort(),
    self: self.get(binary) ?? 0,
    unnamedSelf: unnamed.get(binary) ?? 0,
    stopped: stopped.get(binary) ?? 0,
  }))
    .filter(({ binary }) => binary !== STOPPED_MAPPING_FILE)
    .sort(
      (a, b) =>
        b.unnamedSelf - a.unnamedSelf ||
        b.stopped - a.stopped ||
        b.self - a.self ||
        (a.binary < b.binary ? -1 : 1),
    );
}

function sumBy(entries: readonly (readonly [string, number])[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [key, value] of entries) sums.set(key, (sums.get(key) ?? 0) + value);
  return sums;
}
