import type { FlameTable, NodeIndex } from '@fleetflame/profile';

/** Moving through the tree by names and by arrow keys. */

export function frameName(table: FlameTable, node: NodeIndex): string {
  return table.frames.strings[table.frames.name[table.frame[node]!]!] ?? '';
}

/**
 * A step of a path: the frame's name. Where a sibling has the same name (main of two binaries), the
 * binary and the file follow, each behind a unit separator.
 */
const SEPARATOR = '\u001f';

export function stepName(step: string): string {
  const at = step.indexOf(SEPARATOR);
  return at < 0 ? step : step.slice(0, at);
}

/** Steps from below the root down to the node. The root's path is empty. */
export function pathOf(table: FlameTable, node: NodeIndex): string[] {
  const path: string[] = [];
  for (let at = node; at > 0; at = table.parent[at]!) path.push(stepOf(table, at));
  return path.reverse();
}

function stepOf(table: FlameTable, node: NodeIndex): string {
  const name = frameName(table, node);
  const parent = table.parent[node]!;
  const end = table.subtreeEnd[parent]!;
  for (let sibling = parent + 1; sibling < end; sibling = table.subtreeEnd[sibling]!) {
    if (sibling !== node && frameName(table, sibling) === name) return fullStep(table, node);
  }
  return name;
}

function fullStep(table: FlameTable, node: NodeIndex): string {
  const { frames } = table;
  const frame = table.frame[node]!;
  return [frames.name[frame]!, frames.binary[frame]!, frames.filename[frame]!]
    .map((string) => frames.strings[string] ?? '')
    .join(SEPARATOR);
}

/** Nodes from below the root down to the node. */
export function ancestorsOf(table: FlameTable, node: NodeIndex): NodeIndex[] {
  const nodes: NodeIndex[] = [];
  for (let at = node; at > 0; at = table.parent[at]!) nodes.push(at);
  return nodes.reverse();
}

/** The widest node with this path; undefined where a step is not in the table. */
export function findPath(table: FlameTable, path: readonly string[]): NodeIndex | undefined {
  if (table.length === 0) return undefined;
  let candidates: NodeIndex[] = [0];
  for (const step of path) {
    const isFull = step.includes(SEPARATOR);
    const next: NodeIndex[] = [];
    for (const node of candidates) {
      const end = table.subtreeEnd[node]!;
      for (let child = node + 1; child < end; child = table.subtreeEnd[child]!) {
        if (isFull ? fullStep(table, child) === step : frameName(table, child) === step) next.push(child);
      }
    }
    if (next.length === 0) return undefined;
    candidates = next;
  }
  return candidates.reduce((best, node) => (table.total[node]! > table.total[best]! ? node : best));
}

export function parentOf(table: FlameTable, node: NodeIndex): NodeIndex | undefined {
  const parent = table.parent[node];
  return parent === undefined || parent < 0 ? undefined : parent;
}

export function widestChild(table: FlameTable, node: NodeIndex): NodeIndex | undefined {
  const end = table.subtreeEnd[node]!;
  let best: NodeIndex | undefined;
  for (let child = node + 1; child < end; child = table.subtreeEnd[child]!) {
    if (best === undefined || table.total[child]! > table.total[best]!) best = child;
  }
  return best;
}

export function nextSibling(table: FlameTable, node: NodeIndex): NodeIndex | undefined {
  const parent = parentOf(table, node);
  if (parent === undefined) return undefined;
  const next = table.subtreeEnd[node]!;
  return next < table.subtreeEnd[parent]! ? next : undefined;
}

export function previousSibling(table: FlameTable, node: NodeIndex): NodeIndex | undefined {
  const parent = parentOf(table, node);
  if (parent === undefined) return undefined;
  let previous: NodeIndex | undefined;
  for (let child = parent + 1; child < node; child = table.subtreeEnd[child]!) previous = child;
  return previous;
}
