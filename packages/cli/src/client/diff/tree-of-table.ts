import { FLAME_TREE_MAX_NODES, FlameTree, FRAME_KINDS, type FlameTable } from '@fleetflame/profile';

const LABEL = FRAME_KINDS.indexOf('label');
/** Name of the row that holds what a server pruned below a node; a label, so that it is no function. */
const PRUNED = '(pruned)';

/**
 * A server's answer as a tree that can be compared; totals are kept where it was pruned.
 * `dropTop`: without the rows of the group-by.
 */
export function treeOfTable(table: FlameTable, dropTop: boolean): FlameTree {
  const { frames } = table;
  const tree = new FlameTree({ maxNodes: 2 * FLAME_TREE_MAX_NODES });
  const text = (column: Uint32Array, frame: number): string => frames.strings[column[frame]!] ?? '';
  const frameOf = Uint32Array.from({ length: frames.length }, (_, f) =>
    frames.kind[f] === FRAME_KINDS.indexOf('root')
      ? 0
      : tree.frames.intern(
          text(frames.name, f),
          text(frames.filename, f),
          text(frames.binary, f),
          frames.kind[f]!,
          frames.named[f]!,
        ),
  );
  const nodeOf = new Int32Array(table.length);
  const rest = table.total.slice(0, table.length);
  for (let row = 0; row < table.length; row++) {
    const parent = table.parent[row]!;
    if (parent >= 0) {
      rest[parent] = rest[parent]! - table.total[row]!;
      const isTop = dropTop && parent === 0 && frames.kind[table.frame[row]!] === LABEL;
      const above = nodeOf[parent]!;
      nodeOf[row] = isTop ? above : tree.child(above, frameOf[table.frame[row]!]!);
    }
    tree.addSelf(nodeOf[row]!, table.self[row]!);
    rest[row] = rest[row]! - table.self[row]!;
  }
  for (let row = 0; row < table.length; row++) {
    // Beyond 2^53 sums are not exact: what is left then is no pruned row.
    if (rest[row] === 0 || table.prunedNodes[row] === 0) continue;
    const pruned = tree.frames.intern(PRUNED, '', '', LABEL, 1);
    tree.addSelf(tree.child(nodeOf[row]!, pruned), rest[row]!);
  }
  return tree;
}
