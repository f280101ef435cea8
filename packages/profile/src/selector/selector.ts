import type { Matcher } from './matcher.ts';

/** Conditions that must all hold. No matchers: everything is selected. */
export interface Selector {
  /** As written. */
  readonly matchers: readonly Matcher[];
  readonly source: string;
}

/**
 * Whether a label set is selected. `valueOf` gives the value of a label, undefined where it is absent:
 * an absent label has the value "", so {a=""} selects what has no a, and so does {a!="x"}.
 */
export function selectorMatches(selector: Selector, valueOf: (name: string) => string | undefined): boolean {
  return selector.matchers.every((matcher) => matcher.matches(valueOf(matcher.name) ?? ''));
}
