import { MATCHER_OPS, quoteName, quoteValue, type SelectorCompletion } from '@fleetflame/profile';

/** One line of the completion list. */
export interface Suggestion {
  readonly kind: 'name' | 'op' | 'value';
  readonly text: string;
  /** Shown at the right: what an operator means, how much a value uses. */
  readonly note: string;
}

export interface KnownValue {
  readonly value: string;
  readonly note: string;
}

const OP_NOTES: Readonly<Record<(typeof MATCHER_OPS)[number], string>> = {
  '=': 'equals',
  '!=': 'does not equal',
  '=~': 'matches the regular expression',
  '!~': 'does not match the regular expression',
};

/** A list longer than a screen is not read. */
const MOST_SUGGESTIONS = 50;

export function suggest(
  slot: SelectorCompletion,
  names: readonly string[],
  values: readonly KnownValue[],
): readonly Suggestion[] {
  switch (slot.kind) {
    case 'name':
      return rank(names, slot.prefix, (name) => name).map((text) => ({ kind: 'name', text, note: '' }));
    case 'op':
      return MATCHER_OPS.filter((op) => op.startsWith(slot.prefix)).map((text) => ({
        kind: 'op',
        text,
        note: OP_NOTES[text],
      }));
    case 'value':
      return rank(values, slot.prefix, ({ value }) => value).map(({ value, note }) => ({
        kind: 'value',
        text: value,
        note,
      }));
    default:
      return [];
  }
}

/** What contains the prefix; what begins with it comes first, otherwise the order stays. */
function rank<T>(items: readonly T[], prefix: string, textOf: (item: T) => string): readonly T[] {
  const wanted = prefix.toLowerCase();
  const starts = items.filter((item) => textOf(item).toLowerCase().startsWith(wanted));
  const contains = items.filter((item) => {
    const text = textOf(item).toLowerCase();
    return text.includes(wanted) && !text.startsWith(wanted);
  });
  return [...starts, ...contains].slice(0, MOST_SUGGESTIONS);
}

export interface Edit {
  readonly text: string;
  readonly cursor: number;
  /** True when the selector may be used as it is now. */
  readonly isComplete: boolean;
}

/** The text after a suggestion was chosen. A value closes the selector, so that it can be used. */
export function applySuggestion(text: string, slot: SelectorCompletion, chosen: Suggestion): Edit {
  const insert = slot.before + written(chosen);
  const head = text.slice(0, slot.from) + insert;
  const tail = text.slice(slot.to);
  const needsBrace = chosen.kind === 'value' && !/^\s*[,}]/u.test(tail);
  return {
    text: head + (needsBrace ? '}' : '') + tail,
    cursor: head.length,
    isComplete: chosen.kind === 'value',
  };
}

function written(chosen: Suggestion): string {
  if (chosen.kind === 'name') return quoteName(chosen.text);
  return chosen.kind === 'value' ? quoteValue(chosen.text) : chosen.text;
}
