import type { Block } from '../../block/block.ts';
import { parseProfileType } from '../../profile-type/profile-type.ts';
import { nanosecondsIn } from '../../profile-type/units.ts';
import { missingLabelName } from '../../projection/flame-builder.ts';
import { exportedFrames, pathOf, type ExportedFrame } from '../exported-frames.ts';
import { foldSamples } from '../folded/fold-samples.ts';

export interface EncodeCpuprofileOptions {
  /** The whole profile type to export. */
  readonly profileType: string;
  /** Labels whose values become the first frames, outermost first. */
  readonly groupBy?: readonly string[] | undefined;
}

interface Node {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly scriptId: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  hitCount: number;
  readonly children: number[];
}

/** Nanoseconds in a microsecond, the unit of the format. */
const MICROSECOND = 1e3;

/**
 * The samples of one profile type as DevTools of Chrome read them: a tree of functions, and for times one sample of each
 * stack that lasts as long as the stack's value; what is no time is counted as hits. Kept are names, urls, and the line
 * and column where functions begin (or are, where that is not known); not lines of samples, addresses, binaries, periods.
 * Times are in microseconds with fractions, so that nanoseconds come back.
 */
export function encodeCpuprofile(
  block: Block,
  { profileType, groupBy = [] }: EncodeCpuprofileOptions,
): string {
  const nanoseconds = nanosecondsIn(parseProfileType(profileType).sampleUnit);
  const tree = new NodeTree();
  const ofLocation = new Map<number, ExportedFrame[]>();
  const framesAt = (location: number): ExportedFrame[] => {
    let frames = ofLocation.get(location);
    if (frames === undefined) ofLocation.set(location, (frames = exportedFrames(block, location)));
    return frames;
  };
  const { groups } = foldSamples(block, profileType, (labels) =>
    labels.filter(([name]) => groupBy.includes(name)),
  );
  const samples: number[] = [];
  // A sample lasts until the next one: the first delta is before all.
  const timeDeltas: number[] = [0];
  let elapsed = 0;
  for (const { labels, stacks, values } of groups) {
    let start = tree.root;
    for (const name of groupBy) {
      const value = labels.find(([label]) => label === name)?.[1] ?? missingLabelName(name);
      start = tree.child(start, { name: value, file: '', line: 0, column: 0, startLine: 0 });
    }
    for (let i = 0; i < stacks.length; i++) {
      let node = start;
      for (const location of pathOf(block, stacks[i]!)) {
        for (const frame of framesAt(location)) node = tree.child(node, frame);
      }
      const value = values[i]!;
      if (nanoseconds === undefined) node.hitCount += value;
      else {
        node.hitCount++;
        samples.push(node.id);
        timeDeltas.push((value * nanoseconds) / MICROSECOND);
        elapsed += (value * nanoseconds) / MICROSECOND;
      }
    }
  }
  // At the end, so that the last stack's time is said like all others.
  samples.push(tree.root.id);
  const times = nanoseconds === undefined ? {} : { samples, timeDeltas };
  return JSON.stringify({ nodes: tree.nodes, startTime: 0, endTime: elapsed, ...times });
}

class NodeTree {
  readonly nodes: Node[] = [];
  readonly root: Node;
  readonly #children = new Map<string, Node>();

  constructor() {
    this.root = this.#add({ name: '(root)', file: '', line: 0, column: 0, startLine: 0 });
  }

  child(parent: Node, frame: ExportedFrame): Node {
    const { name, file, line, column, startLine } = frame;
    const key = JSON.stringify([parent.id, name, file, startLine || line, column]);
    let node = this.#children.get(key);
    if (node === undefined) {
      node = this.#add(frame);
      parent.children.push(node.id);
      this.#children.set(key, node);
    }
    return node;
  }

  /** Lines and columns are counted from 0 here, and -1 is unknown. */
  #add({ name, file, line, column, startLine }: ExportedFrame): Node {
    const callFrame = {
      functionName: name,
      scriptId: '0',
      url: file,
      lineNumber: (startLine || line) - 1,
      columnNumber: column - 1,
    };
    const node = { id: this.nodes.length + 1, callFrame, hitCount: 0, children: [] };
    this.nodes.push(node);
    return node;
  }
}
