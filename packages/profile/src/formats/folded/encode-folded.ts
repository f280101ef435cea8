import { MAPPING_KINDS, type Block } from '../../block/block.ts';
import { parseProfileType } from '../../profile-type/profile-type.ts';
import { missingLabelName } from '../../projection/flame-builder.ts';
import { unnamedFrame } from '../exported-frames.ts';
import { foldedName } from './folded-name.ts';
import { foldSamples } from './fold-samples.ts';
import type { LabelSet } from './fold-samples.ts';

export interface EncodeFoldedOptions {
  /** The whole profile type to export. */
  readonly profileType: string;
  /** Labels whose values become the first frames, outermost first. */
  readonly groupBy?: readonly string[] | undefined;
  /** Frames get the suffix of their kind, see `SUFFIXES`. Default false: names as they are. */
  readonly annotate?: boolean | undefined;
}

/** What perf and flamegraph.pl append to frames, for its colours; native frames have none. */
const SUFFIXES = { kernel: '_[k]', inlined: '_[i]', jit: '_[j]' } as const;

/** The frame of a sample that has none at all. */
const NO_FRAMES = '[no frames]';

/**
 * The samples of one profile type as folded stacks, the format of flamegraph.pl: one line per stack,
 * sorted, summed over time and labels. Inlined calls are frames of their own; what has no name is
 * binary+0xaddress, as in the flame graph. The format cannot quote: a semicolon in a name is written
 * as a colon, a line break as a space.
 */
export function encodeFolded(block: Block, options: EncodeFoldedOptions): string {
  parseProfileType(options.profileType);
  const groupBy = options.groupBy ?? [];
  const { groups } = foldSamples(block, options.profileType, (labels) =>
    labels.filter(([name]) => groupBy.includes(name)),
  );
  const { parent, location } = block.stacks;
  // Text of a stack without its group; a parent's is ready before its children's.
  const texts: (string | undefined)[] = [''];
  const frames: (string | undefined)[] = [];
  const path: number[] = [];
  const textOf = (stack: number): string => {
    let at = stack;
    while (texts[at] === undefined) {
      path.push(at);
      at = parent[at]!;
    }
    let text = texts[at] ?? '';
    for (let next = path.pop(); next !== undefined; next = path.pop()) {
      const frame = (frames[location[next]!] ??= frameText(
        block,
        location[next]!,
        options.annotate ?? false,
      ));
      text = text === '' ? frame : `${text};${frame}`;
      texts[next] = text;
    }
    return text;
  };

  const sums = new Map<string, number>();
  for (const { labels, stacks, values } of groups) {
    const first = groupBy.map((name) => foldedName(labelFrame(labels, name)));
    for (let i = 0; i < stacks.length; i++) {
      const text = textOf(stacks[i]!);
      const line = [...first, ...(text === '' ? [NO_FRAMES] : [text])].join(';');
      sums.set(line, (sums.get(line) ?? 0) + values[i]!);
    }
  }
  return (
    [...sums]
      .filter(([, value]) => value !== 0)
      // By UTF-16 units: lines are long and begin alike, and the engine compares them best.
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([line, value]) => `${line.replace(/^#(?=\s)/, '#_')} ${value}\n`)
      .join('')
  );
}

function labelFrame(labels: LabelSet, name: string): string {
  return labels.find(([label]) => label === name)?.[1] ?? missingLabelName(name);
}

/** The frames at a location, outermost first, joined. */
function frameText(block: Block, row: number, annotate: boolean): string {
  const { locations, functions, mappings, strings } = block;
  const mapping = locations.mapping[row]!;
  const kind = MAPPING_KINDS[mappings.kind[mapping]!] ?? 'unknown';
  const called = annotate && (kind === 'kernel' || kind === 'jit') ? SUFFIXES[kind] : '';
  const unnamed = unnamedFrame(block, row);
  const names: string[] = [];
  const outermost = locations.lineStart[row + 1]! - 1;
  for (let line = outermost; line >= locations.lineStart[row]!; line--) {
    const name = foldedName(strings.at(functions.name[locations.lineFunction[line]!]!) || unnamed);
    names.push(name + (line === outermost || !annotate ? called : SUFFIXES.inlined));
  }
  return names.length === 0 ? foldedName(unnamed) + called : names.join(';');
}
