import {
  intervalOf,
  visibleText,
  type FunctionDelta,
  type SideFacts,
  type Significance,
} from '@fleetflame/profile';
import { formatDuration } from '../duration.ts';
import { formatTable } from '../format.ts';
import { basisSentence, gateSentence, matchSentence, type DiffAnswer } from './diff-answer.ts';
import type { DiffSide } from './side.ts';

/** Functions that are listed for a condition of the gate: a pull request takes so much text, and its readers less. */
const MOST_FAILURES = 20;

/** For a terminal; what is in cells is escaped there, the rest by the caller. */
export function diffTable(answer: DiffAnswer): string {
  const { comparison, shown, sides, listed } = answer;
  const [base, next] = comparison.compared.totals;
  const lines = [
    `BASE  ${sideLine(answer, 0)}`,
    `NEW   ${sideLine(answer, 1)}`,
    `change ${shown.change(shown.difference(base, next))} (${shown.percent(base, next) || '0 %'}), per ${comparison.per}; basis: ${basisSentence(comparison)}`,
    matchSentence(comparison),
  ];
  if (sides.every(({ facts }) => facts.total === 0)) lines.push('no samples on either side');
  else if (listed.length > 0) {
    const header = ['self', 'was', 'change', '%', 'total', 'was', 'change', '%', 'binary', 'function'];
    const rows = listed.map((fn) => [
      ...valueCells(answer, fn, 'self'),
      ...valueCells(answer, fn, 'total'),
      fn.binary,
      fn.inliningChanged ? `${fn.name}  (inlining changed)` : fn.name,
    ]);
    lines.push(
      formatTable(
        header,
        rows,
        header.map((_, column) => column < 8),
      ),
    );
  }
  if (answer.omittedFunctions > 0) lines.push(`and ${answer.omittedFunctions} more functions (--limit)`);
  lines.push(...renamedLines(answer), ...gateLines(answer));
  return lines.join('\n');
}

function sideLine({ shown, sides }: DiffAnswer, side: 0 | 1): string {
  const { source, facts } = sides[side];
  return `${visibleText(source)}: ${shown.of(side, facts.total)}${factsOf(facts)}`;
}

/** " (1,000 samples, 30s, 3 hosts)" */
function factsOf({ total, sampleValue, spanMs, hosts }: SideFacts): string {
  const facts = [];
  if (sampleValue > 0) facts.push(`${Math.round(total / sampleValue).toLocaleString('en-US')} samples`);
  if (spanMs > 0) facts.push(formatDuration(spanMs));
  if (hosts !== undefined) facts.push(hosts === 1 ? '1 host' : `${hosts} hosts`);
  return facts.length === 0 ? '' : ` (${facts.join(', ')})`;
}

function valueCells({ shown }: DiffAnswer, fn: FunctionDelta, what: 'self' | 'total'): string[] {
  const [is, was, test] =
    what === 'self' ? [fn.self, fn.baseSelf, fn.selfTest] : [fn.total, fn.baseTotal, fn.totalTest];
  const difference = shown.difference(was, is);
  const reach =
    test === undefined || difference === 0 ? '' : ` ±${shown.scaled(reachOf(test)).replace(' %', '')}`;
  const mark = test?.significant === true ? ' *' : '';
  return [
    shown.of(1, is),
    shown.of(0, was),
    `${shown.change(difference)}${reach}${mark}`,
    shown.percent(was, is),
  ];
}

function reachOf(test: Significance): number {
  const { low, high } = intervalOf(test);
  return (high - low) / 2;
}

export function renamedLines({ renamed, comparison }: DiffAnswer): string[] {
  const { tree, matcher } = comparison.compared;
  return renamed.map((pair) => {
    const [gone, fresh] = [pair.gone, pair.new].map((node) => matcher.shownOf(tree.frame[node]!).name);
    return `perhaps renamed: ${visibleText(gone ?? '')} is gone, ${visibleText(fresh ?? '')} is new and calls the same (${(100 * pair.overlap).toFixed(0)} %)`;
  });
}

export function gateLines({ gate, shown }: DiffAnswer): string[] {
  if (gate === undefined) return [];
  return [
    gateSentence(gate),
    ...gate.failures.flatMap(({ condition, functions }) => [
      ...functions
        .slice(0, MOST_FAILURES)
        .map(
          (fn) =>
            `  ${condition.source}: ${visibleText(fn.name)}  self ${shown.change(shown.difference(fn.baseSelf, fn.self))}, total ${shown.change(shown.difference(fn.baseTotal, fn.total))}`,
        ),
      ...(functions.length > MOST_FAILURES
        ? [`  ${condition.source}: and ${functions.length - MOST_FAILURES} more functions (--json has all)`]
        : []),
    ]),
    ...gate.missing.map((reason) => `  ${reason}`),
    ...gate.notes.map((note) => `  ${note}`),
  ];
}

/** What people should know of the sides. */
export function diffWarnings({ sides, warnings }: DiffAnswer): string[] {
  return [...sides.flatMap(({ notes }: DiffSide) => notes), ...warnings];
}
