import { unquotePrefix } from './quote.ts';
import { inComment, scanToken } from './scan.ts';
import type { Token } from './scan.ts';

/** What can be typed at the cursor. */
export interface SelectorCompletion {
  /** `none`: in a comment, or behind the closing brace. */
  readonly kind: 'name' | 'op' | 'value' | 'none';
  /** The range of the text that a choice replaces (quotes included), UTF-16 offsets. */
  readonly from: number;
  readonly to: number;
  /** What is typed of it up to the cursor, without quotes and escapes. */
  readonly prefix: string;
  /** For op and value: the label they belong to. */
  readonly labelName?: string;
  /** Text to put before the choice for the result to parse: "{", "," or "". */
  readonly before: string;
}

/** What the grammar expects next. */
type State = 'start' | 'name' | 'op' | 'value' | 'comma' | 'closed';

const SLOT: Readonly<Record<State, Pick<SelectorCompletion, 'kind' | 'before'>>> = {
  start: { kind: 'name', before: '{' },
  name: { kind: 'name', before: '' },
  op: { kind: 'op', before: '' },
  value: { kind: 'value', before: '' },
  comma: { kind: 'name', before: ',' },
  closed: { kind: 'none', before: '' },
};

/** Where a name, a string or something unknown leads: it is taken for what was expected. */
const AFTER_WORD: Readonly<Record<State, State>> = {
  start: 'op',
  name: 'op',
  op: 'op',
  value: 'comma',
  comma: 'op',
  closed: 'closed',
};

/**
 * What the user is about to type at the cursor of a selector, however incomplete or wrong the text is.
 * Replace text[from, to) by `before` and then quoteName(name), the operator, or quoteValue(value).
 *
 *   {service_na|        name   prefix service_na
 *   {service_name=~"a|  value  prefix a, labelName service_name
 *   {a="b"|             name   before ","
 */
export function completeSelector(text: string, cursor: number): SelectorCompletion {
  let state: State = 'start';
  let labelName = '';
  let gap = 0;
  for (;;) {
    const token = closeAtCursor(text, scanToken(text, gap), cursor);
    const word = isWord(token);
    if (cursor < token.from || token.kind === 'end') {
      return inComment(text, gap, cursor) ? slot('closed', cursor, cursor) : slot(state, cursor, cursor);
    }
    if (state === 'op' ? token.kind === 'operator' : word && state !== 'closed') {
      if (cursor < token.to || (cursor === token.to && growsAtEnd(text, token))) {
        const typed = text.slice(token.from, cursor);
        const quoted = token.kind === 'string' || token.kind === 'unclosed';
        return slot(state, token.from, token.to, quoted ? unquotePrefix(typed) : typed);
      }
    }
    if (cursor === token.from) return slot(state, cursor, cursor);

    if (word) {
      if (state !== 'op' && state !== 'value') {
        const written = text.slice(token.from, token.to);
        labelName = token.kind === 'string' ? unquotePrefix(written.slice(0, -1)) : written;
      }
      state = AFTER_WORD[state];
    } else if (token.kind === '}') state = 'closed';
    else if (state !== 'closed') state = token.kind === 'operator' ? 'value' : 'name';
    gap = token.to;
  }

  function slot(at: State, from: number, to: number, prefix = ''): SelectorCompletion {
    const { kind, before } = SLOT[at];
    const label = kind === 'op' || kind === 'value' ? { labelName } : {};
    return { kind, from, to, prefix, before, ...label };
  }
}

function isWord(token: Token): boolean {
  return (
    token.kind === 'name' || token.kind === 'string' || token.kind === 'unclosed' || token.kind === 'unknown'
  );
}

/** Whether typing at the token's end makes the token longer; a closed string and = are complete. */
function growsAtEnd(text: string, token: Token): boolean {
  if (token.kind === 'operator') return text.slice(token.from, token.to) === '!';
  return token.kind !== 'string';
}

/**
 * While a value is typed its closing quote is missing, and the scanner takes the next one:
 * {a="b|,c="d"} has the string "b,c=". A string that something stands right behind of, or that has no
 * end, ends at the cursor.
 */
function closeAtCursor(text: string, token: Token, cursor: number): Token {
  if (cursor <= token.from || cursor > token.to) return token;
  const suspicious =
    token.kind === 'string' && cursor < token.to && !/^[\s,}=!#]?$/.test(text.charAt(token.to));
  return token.kind === 'unclosed' || suspicious ? { kind: 'unclosed', from: token.from, to: cursor } : token;
}
