/**
 * Two profiles on one tree: per node and per function four exact integers, self and total of both sides. Nothing is
 * scaled here and nothing is pruned.
 *
 *   base tree ──┐ frames by FrameMatcher                     ┌─▶ self, total of each node, both sides
 *               ├──────────────▶ one tree of functions ──────┼─▶ self, total of each function (recursion once)
 *   new tree ───┘                                            └─▶ the same per unit (host), where hosts are known
 */
import { FRAME_KINDS, type FrameIndex } from '../projection/flame-table.ts';
import { FLAME_TREE_MAX_NODES, FlameTree, type TreeNode } from '../projection/flame-tree.ts';
import { totalsWithoutRecursion } from '../projection/top-functions.ts';
import { BASE, FrameMatcher, NEW, type MatchMode, type SideIndex } from './frame-matcher.ts';
import { HostUnits } from './host-units.ts';

/** One side of a comparison. */
export interface ComparedProfile {
  readonly tree: FlameTree;
  /** The first level of the tree are values of host_name (a group-by); they are no part of the stacks that are compared. */
  readonly byHost: boolean;
  /** Value of each host, where the first level are buckets of hosts: `labelBucket(host, HOST_BUCKETS)`. */
  readonly hosts?: ReadonlyMap<string, number> | undefined;
}

/** Self and total of one side. */
export interface SideSums {
  readonly self: Float64Array;
  readonly total: Float64Array;
}

/** Of each unit of hosts: self and total per function, and the value of all its stacks. */
export interface UnitSums {
  readonly functions: readonly SideSums[];
  readonly values: Float64Array;
  /** Hosts of this side in each unit. */
  readonly hosts: Float64Array;
}

export interface ComparedTree {
  /** Structure: parents come first; frames are functions of `matcher`. Its self values are not used. */
  readonly tree: FlameTree;
  readonly matcher: FrameMatcher;
  /** By node, [base, new]. */
  readonly nodes: readonly [SideSums, SideSums];
  /** By function, [base, new]; recursion counts once. */
  readonly functions: readonly [SideSums, SideSums];
  /** Sum of all stacks, [base, new]. */
  readonly totals: readonly [number, number];
  /** Value of each host, [base, new]; undefined: hosts are not known. */
  readonly hosts: readonly [ReadonlyMap<string, number> | undefined, ReadonlyMap<string, number> | undefined];
  /** Sums by units of hosts, [base, new], where hosts are known on both sides. Costs a pass over the tree per unit. */
  readonly unitSums: () => readonly [UnitSums, UnitSums] | undefined;
}

const LABEL = FRAME_KINDS.indexOf('label');

/** Throws limit_exceeded when both trees together have more than 2 × FLAME_TREE_MAX_NODES nodes. */
export function compareTrees(
  base: ComparedProfile,
  next: ComparedProfile,
  mode: MatchMode = 'names',
): ComparedTree {
  const matcher = new FrameMatcher(mode);
  const tree = new FlameTree({ frames: matcher.frames, maxNodes: 2 * FLAME_TREE_MAX_NODES });
  const placed = [place(tree, matcher, BASE, base), place(tree, matcher, NEW, next)] as const;
  const identity = Uint32Array.from({ length: matcher.frames.length }, (_, i) => i);
  const [a, b] = [
    sumsOf(tree, identity, placed[BASE], undefined),
    sumsOf(tree, identity, placed[NEW], undefined),
  ];
  return {
    tree,
    matcher,
    nodes: [a.nodes, b.nodes],
    functions: [a.functions, b.functions],
    totals: [a.nodes.total[0]!, b.nodes.total[0]!],
    hosts: [placed[BASE].hosts, placed[NEW].hosts],
    unitSums: () => {
      const [hostsA, hostsB] = [placed[BASE].hosts, placed[NEW].hosts];
      if (hostsA === undefined || hostsB === undefined) return undefined;
      const areBuckets = placed.some((side) => side.areBuckets);
      const units = new HostUnits([...hostsA.keys(), ...hostsB.keys()], areBuckets);
      return [
        sumUnits(tree, identity, placed[BASE], hostsA, units),
        sumUnits(tree, identity, placed[NEW], hostsB, units),
      ];
    },
  };
}

/** A side's nodes on the common tree. */
interface Placed {
  readonly source: FlameTree;
  readonly nodeOf: Int32Array;
  /** Index into `groups` of each of the side's nodes; -1: none. */
  readonly groupOf: Int32Array | undefined;
  /** Names of the first level: hosts, or buckets of them. */
  readonly groups: readonly string[];
  readonly areBuckets: boolean;
  readonly hosts: ReadonlyMap<string, number> | undefined;
}

function place(tree: FlameTree, matcher: FrameMatcher, side: SideIndex, profile: ComparedProfile): Placed {
  const { tree: source, byHost } = profile;
  const used = new Uint8Array(source.frames.length);
  for (let i = 1; i < source.length; i++) used[source.frame[i]!] = 1;
  const functionOf = matcher.match(side, source.frames, used);
  const nodeOf = new Int32Array(source.length);
  const groupOf = byHost ? new Int32Array(source.length).fill(-1) : undefined;
  const groups: string[] = [];
  for (let i = 1; i < source.length; i++) {
    const parent = source.parent[i]!;
    const frame = source.frame[i]!;
    if (groupOf !== undefined && parent === 0 && source.frames.kind[frame] === LABEL) {
      groupOf[i] = groups.push(source.frames.nameOf(frame)) - 1;
      continue;
    }
    if (groupOf !== undefined) groupOf[i] = groupOf[parent]!;
    nodeOf[i] = tree.child(nodeOf[parent]!, functionOf[frame]!);
  }
  const hosts = groupOf && (profile.hosts ?? valuesOf(source, groupOf, groups));
  return { source, nodeOf, groupOf, groups, areBuckets: byHost && profile.hosts !== undefined, hosts };
}

/** Value of each group. */
function valuesOf(
  source: FlameTree,
  groupOf: Int32Array,
  groups: readonly string[],
): ReadonlyMap<string, number> {
  const values = new Float64Array(groups.length);
  for (let i = 1; i < source.length; i++) {
    const group = groupOf[i]!;
    if (group >= 0) values[group] = values[group]! + source.self[i]!;
  }
  return new Map(groups.map((name, group) => [name, values[group]!]));
}

/** Sums of a side on the common tree; `included`: of these groups only. */
function sumsOf(
  tree: FlameTree,
  identity: Uint32Array,
  { source, nodeOf, groupOf }: Placed,
  included: Uint8Array | undefined,
): { readonly nodes: SideSums; readonly functions: SideSums } {
  const self = new Float64Array(tree.length);
  for (let i = 0; i < source.length; i++) {
    if (included !== undefined && included[groupOf?.[i] ?? -1] !== 1) continue;
    const node = nodeOf[i]!;
    self[node] = self[node]! + source.self[i]!;
  }
  const total = self.slice();
  for (let i = tree.length - 1; i > 0; i--) {
    const parent = tree.parent[i]!;
    total[parent] = total[parent]! + total[i]!;
  }
  const functionSelf = new Float64Array(identity.length);
  for (let i = 1; i < tree.length; i++) {
    const fn = tree.frame[i]!;
    functionSelf[fn] = functionSelf[fn]! + self[i]!;
  }
  const functionTotal = totalsWithoutRecursion(tree, total, identity);
  return { nodes: { self, total }, functions: { self: functionSelf, total: functionTotal } };
}

function sumUnits(
  tree: FlameTree,
  identity: Uint32Array,
  side: Placed,
  sideHosts: ReadonlyMap<string, number>,
  units: HostUnits,
): UnitSums {
  const functions: SideSums[] = [];
  const values = new Float64Array(units.count);
  const hosts = new Float64Array(units.count);
  for (const host of sideHosts.keys()) {
    const unit = units.unitOf(host);
    hosts[unit] = hosts[unit]! + 1;
  }
  const unitOf = side.groups.map((name) => (side.areBuckets ? units.unitOfBucket(name) : units.unitOf(name)));
  for (let unit = 0; unit < units.count; unit++) {
    const sums = sumsOf(
      tree,
      identity,
      side,
      Uint8Array.from(unitOf, (of) => (of === unit ? 1 : 0)),
    );
    functions.push(sums.functions);
    values[unit] = sums.nodes.total[0]!;
  }
  return { functions, values, hosts };
}

/** Where the nodes of a comparison stand: from the outermost frame inward. */
export function pathOfNode({ tree }: ComparedTree, node: TreeNode): FrameIndex[] {
  const path: FrameIndex[] = [];
  for (let at = node; at > 0; at = tree.parent[at]!) path.push(tree.frame[at]!);
  return path.reverse();
}
