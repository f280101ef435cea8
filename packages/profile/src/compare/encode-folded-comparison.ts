import { foldedName } from '../formats/folded/folded-name.ts';
import { pathOfNode, type ComparedTree } from './compared-tree.ts';
import { BASE, NEW } from './frame-matcher.ts';

/**
 * Both sides as folded stacks with two columns, base first, as flamegraph.pl's difffolded.pl writes them: one line per
 * stack that has a value of its own on either side, sorted; exact and unpruned.
 */
export function encodeFoldedComparison(compared: ComparedTree): string {
  const { tree, matcher, nodes } = compared;
  const names: string[] = [];
  const sums = new Map<string, readonly [number, number]>();
  for (let node = 0; node < tree.length; node++) {
    const [base, next] = [nodes[BASE].self[node]!, nodes[NEW].self[node]!];
    if (base === 0 && next === 0) continue;
    const path = pathOfNode(compared, node).map((fn) => (names[fn] ??= foldedName(matcher.shownOf(fn).name)));
    const line = (path.length === 0 ? '[no frames]' : path.join(';')).replace(/^#(?=\s)/, '#_');
    // The format has no binaries: functions of one name are one here.
    const [a, b] = sums.get(line) ?? [0, 0];
    sums.set(line, [a + base, b + next]);
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([line, [base, next]]) => `${line} ${base} ${next}\n`)
    .join('');
}
