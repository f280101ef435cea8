import { decodeFlameTable, type FlameTable } from '@fleetflame/profile';
import type { FlameGraphResponse } from '@fleetflame/proto/query/v1/query';
import { findPath, stepName } from '../flame/navigate.ts';
import { spliceSubtree } from '../flame/splice.ts';
import type { FlameAnswer } from './answers.ts';
import { scopeOf, type Question } from './ask.ts';

/**
 * Fetches flame graphs, and the pruned parts of one when the focus goes there. The whole stays, and
 * details are put into it, so zooming out again costs nothing.
 *
 *   whole (16,384 widest) ──focus on a box with pruned parts──▶ its 16,384 widest, spliced in
 */
export class FlameSource {
  #known:
    | { readonly key: string; readonly whole: FlameGraphResponse; readonly table: FlameTable }
    | undefined;

  /** The next question goes to the server, even about the same window. */
  forget(): void {
    this.#known = undefined;
  }

  async ask(question: Question, groupBy: readonly string[], focus: readonly string[]): Promise<FlameAnswer> {
    const { client, signal, window } = question;
    const request = { scope: scopeOf(question), groupBy: [...groupBy], maxNodes: MAX_NODES };
    const key = JSON.stringify([window, question.selector, question.profileType, groupBy]);
    let known = this.#known;
    if (known === undefined || known.key !== key || known.table.length > MAX_KEPT_NODES) {
      const whole = await client.flameGraph(request, { signal });
      known = { key, whole, table: decodeFlameTable(whole.table) };
    }
    for (let step = 0; step < MOST_STEPS; step++) {
      const path = longestPath(known.table, focus);
      const node = findPath(known.table, path) ?? 0;
      if (path.length === 0 || prunedBelow(known.table, node) === 0) break;
      const names = path.map((item) => stepName(item));
      const detail = decodeFlameTable(
        (await client.flameGraph({ ...request, focus: names }, { signal })).table,
      );
      const detailNode = findPath(detail, path);
      if (detailNode === undefined) break;
      const spliced = spliceSubtree(known.table, node, detail, detailNode);
      if (spliced === undefined) break;
      const isSame = spliced.length === known.table.length;
      known = { ...known, table: spliced };
      if (isSame || path.length === focus.length) break;
    }
    this.#known = known;
    const { table, whole } = known;
    return {
      window,
      table,
      total: Number(whole.total),
      period: Number(whole.period),
      ...countPruned(table),
      coverage: whole.coverage,
      focusMissing: findPath(table, focus) === undefined,
    };
  }
}

/** Boxes of one answer: what a screen can show several times over; the server's default. */
const MAX_NODES = 16_384;
/** A table that has grown larger by details is fetched anew. */
const MAX_KEPT_NODES = 200_000;
/** A path can lead through this many pruned parts; deeper than that a link has never been seen to go. */
const MOST_STEPS = 6;

/** The longest beginning of the path that the table has. */
function longestPath(table: FlameTable, focus: readonly string[]): readonly string[] {
  for (let length = focus.length; length > 0; length--) {
    const path = focus.slice(0, length);
    if (findPath(table, path) !== undefined) return path;
  }
  return [];
}

function prunedBelow(table: FlameTable, node: number): number {
  let count = 0;
  for (let row = node; row < table.subtreeEnd[node]!; row++) count += table.prunedNodes[row]!;
  return count;
}

function countPruned(table: FlameTable): { readonly prunedNodes: number; readonly prunedValue: number } {
  let prunedNodes = 0;
  let shown = 0;
  for (let row = 0; row < table.length; row++) {
    prunedNodes += table.prunedNodes[row]!;
    shown += table.self[row]!;
  }
  return { prunedNodes, prunedValue: Math.max(0, (table.total[0] ?? 0) - shown) };
}
