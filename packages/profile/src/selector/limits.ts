/** What a selector may cost. Selectors come from browsers and command lines: they are untrusted. */
export const SELECTOR_LIMITS = {
  /** UTF-16 units of the whole text: a dashboard's longest alternation of pod names fits many times. */
  textLength: 32_768,
  /** Matchers in one selector: more than a series has labels. */
  matchers: 64,
  /** UTF-16 units of one regular expression that is not a plain alternation of literals. */
  regexLength: 1_024,
  /** Length times the sum of the counts in {n,m}: bounds the time to compile to some ten milliseconds. */
  regexRepeat: 10_000,
  /** UTF-16 units of all regular expressions of a selector that are no plain alternations. */
  regexTotal: 2_048,
  /** Classes ([a-z], \pL, \w) of all of them: a class of Unicode takes a third of a millisecond to compile. */
  regexClasses: 64,
  /** RE2 instructions of all regular expressions together: matching is linear in value length times this. */
  regexInstructions: 2_000,
} as const;
