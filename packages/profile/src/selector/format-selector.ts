import { SERVICE_NAME } from '../block/block.ts';
import type { Matcher } from './matcher.ts';
import { quoteName, quoteValue } from './quote.ts';

/**
 * The canonical text: selectors that differ only in order, spacing, quotes or repetition have the same
 * one, so it serves as a cache key and in URLs. service_name comes first, then names in code unit
 * order, as in the series table. No matchers: {}.
 */
export function formatSelector(selector: {
  readonly matchers: readonly Pick<Matcher, 'name' | 'op' | 'value'>[];
}): string {
  const sorted = [...selector.matchers].sort(
    (a, b) =>
      Number(b.name === SERVICE_NAME) - Number(a.name === SERVICE_NAME) ||
      compare(a.name, b.name) ||
      compare(a.op, b.op) ||
      compare(a.value, b.value),
  );
  const texts = sorted.map(({ name, op, value }) => `${quoteName(name)}${op}${quoteValue(value)}`);
  return `{${[...new Set(texts)].join(',')}}`;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
