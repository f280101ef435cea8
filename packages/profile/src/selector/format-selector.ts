import { SERVICE_NAME } from '../block/block.ts';
import { compareStrings } from '../block/tables/compare-strings.ts';
import type { Matcher } from './matcher.ts';
import { quoteName, quoteValue } from './quote.ts';

/**
 * The canonical text: selectors that differ only in order, spacing, quotes or repetition have the same
 * one, so it serves as a cache key and in URLs. service_name comes first, then names by
 * code point, as in the series table. No matchers: {}.
 */
export function formatSelector(selector: {
  readonly matchers: readonly Pick<Matcher, 'name' | 'op' | 'value'>[];
}): string {
  const sorted = [...selector.matchers].sort(
    (a, b) =>
      Number(b.name === SERVICE_NAME) - Number(a.name === SERVICE_NAME) ||
      compareStrings(a.name, b.name) ||
      compareStrings(a.op, b.op) ||
      compareStrings(a.value, b.value),
  );
  const texts = sorted.map(({ name, op, value }) => `${quoteName(name)}${op}${quoteValue(value)}`);
  return `{${[...new Set(texts)].join(',')}}`;
}
