import { visibleText, type FunctionDelta } from '@fleetflame/profile';
import { basisSentence, gateSentence, matchSentence, type DiffAnswer } from './diff-answer.ts';
import { diffWarnings, gateLines, renamedLines } from './diff-table.ts';

/** A comment for a pull request. Names are code spans, so that nothing in them is markup, a mention or a link. */
export function diffMarkdown(answer: DiffAnswer): string {
  const { comparison, shown, sides, gate, listed } = answer;
  const [base, next] = comparison.compared.totals;
  const lines = [
    `### Profile of ${codeSpan(sides[1].source)} against ${codeSpan(sides[0].source)}`,
    '',
    `${shown.of(0, base)} → ${shown.of(1, next)} (${shown.percent(base, next) || '0 %'}), per ${comparison.per}. Basis: ${basisSentence(comparison).replaceAll('*', '\\*')}. ${matchSentence(comparison)}.`,
    '',
  ];
  if (gate !== undefined) {
    lines.push(`**${gateSentence(gate)}**`, '');
    for (const line of gateLines(answer).slice(1)) lines.push(`- ${codeSpan(line.trim())}`);
  }
  for (const warning of [...diffWarnings(answer), ...renamedLines(answer)])
    lines.push(`- ${codeSpan(warning)}`);
  if (lines.at(-1) !== '') lines.push('');
  lines.push(
    '| function | binary | self | change | % | total | change | % |',
    '|---|---|---:|---:|---:|---:|---:|---:|',
    ...listed.map((fn) => `| ${row(answer, fn).join(' | ')} |`),
  );
  if (answer.omittedFunctions > 0) lines.push('', `and ${answer.omittedFunctions} more functions`);
  return `${lines.join('\n')}\n`;
}

function row({ shown }: DiffAnswer, fn: FunctionDelta): string[] {
  const values = (base: number, next: number, isReal: boolean): string[] => [
    shown.of(1, next),
    `${shown.change(shown.difference(base, next))}${isReal ? ' \\*' : ''}`,
    shown.percent(base, next),
  ];
  return [
    codeSpan(fn.name),
    fn.binary === '' ? '' : codeSpan(fn.binary),
    ...values(fn.baseSelf, fn.self, fn.selfTest?.significant === true),
    ...values(fn.baseTotal, fn.total, fn.totalTest?.significant === true),
  ];
}

/**
 * Text as a code span that also holds inside a table: fenced by more backticks than it has in a row, bars escaped. A bar
 * behind a backslash, of which readers disagree whether it ends the cell, is shown as \x7c.
 */
export function codeSpan(text: string): string {
  const shown = visibleText(text).replaceAll('\\|', '\\\\x7c').replaceAll('|', '\\|');
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  // A span of only spaces, or with a backtick at an end, needs spaces of its own.
  const padding = longest > 0 || shown.trim() === '' ? ' ' : '';
  return shown === '' ? '` `' : `${fence}${padding}${shown}${padding}${fence}`;
}
