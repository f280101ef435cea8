/**
 * Names come from files, processes and whoever pushes: a function may be called "\x1b[2J", a thread may turn the text
 * behind it around (U+202E), a service may differ from another by a character that nobody sees. Whatever is shown
 * goes through here; what is stored, asked for and written to files stays as it is.
 *
 * Shown as `\x1b`, `\u202e` or `\u{e0041}`: C0, DEL and C1 controls, bidirectional controls, zero-width and other format
 * characters, what fonts ignore by default (variation selectors, fillers, tags), separators of lines and
 * paragraphs, lone surrogates and noncharacters.
 */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/gu;
/** Most text is plain: this costs a tenth of the other. */
const PLAIN = /^[\x20-\x7e]*$/;
const ENDS_AND_TABS = /[\n\t]/;

/** Of one line: a name, a cell, a message without lines of its own. */
export function visibleText(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSEEN, escaped);
}

/** Of text whose line ends and tabs are meant. */
export function visibleLines(text: string): string {
  return PLAIN.test(text)
    ? text
    : text.replace(UNSEEN, (character) => (ENDS_AND_TABS.test(character) ? character : escaped(character)));
}

/** Of JSON, which stays the same JSON: its own escapes in place of what would be unseen; line ends are between its parts. */
export function visibleJson(json: string): string {
  if (PLAIN.test(json)) return json;
  return json.replace(UNSEEN, (character) => {
    if (character === '\n') return character;
    let out = '';
    for (let unit = 0; unit < character.length; unit++) out += `\\u${hex(character.charCodeAt(unit), 4)}`;
    return out;
  });
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${hex(code, 2)}`;
  return code < 0x1_0000 ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 5)}}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
