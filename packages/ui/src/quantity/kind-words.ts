/**
 * What a profile type's values are, in the words of Prometheus, and what the page does with them over a range. What
 * happened adds up, as a counter's increase does; so does what was counted since a process began.
 */
const WORDS: Readonly<
  Record<string, { readonly name: string; readonly over: string; readonly title: string }>
> = {
  rate: { name: 'counter', over: 'in', title: 'A counter: values add up over time.' },
  gauge: {
    name: 'gauge',
    over: 'mean over',
    title: 'A gauge: what there is at a moment. Over a range it is the mean of its profiles.',
  },
  cumulative: {
    name: 'counter',
    over: 'increase in',
    title: 'A counter since the process began: what was added from profile to profile.',
  },
};

export interface KindWords {
  /** "counter", "gauge", or both. */
  readonly name: string;
  /** Before the range: "in", "mean over", "increase in". */
  readonly over: string;
  readonly title: string;
}

/** `kinds`: as a profile type has them; none: the server is of before, which says nothing. */
export function kindWords(kinds: readonly string[]): KindWords | undefined {
  const words = kinds.map((kind) => WORDS[kind]).filter((word) => word !== undefined);
  const [first] = words;
  if (first === undefined) return undefined;
  return {
    name: [...new Set(words.map(({ name }) => name))].join(' and '),
    over: words.length === 1 ? first.over : 'in',
    title: words.map(({ title }) => title).join(' '),
  };
}
