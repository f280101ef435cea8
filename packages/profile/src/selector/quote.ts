/** Prometheus string literals: "…" and '…' with Go's escapes, `…` raw. */

export type Unquoted =
  | { readonly ok: true; readonly value: string }
  /** `from` and `to` are offsets into the literal. */
  | { readonly ok: false; readonly reason: string; readonly from: number; readonly to: number };

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The string that a complete literal, quotes included, stands for. */
export function unquote(literal: string): Unquoted {
  const quote = literal[0] ?? '';
  const body = literal.length - 1;
  if (quote === '`') return { ok: true, value: literal.slice(1, body) };

  let value = '';
  // \xff and \377 are bytes: a run of them must be UTF-8 together.
  let bytes: number[] = [];
  let bytesFrom = 0;
  let at = 1;
  while (at < body) {
    const from = at;
    const char = literal[at++] ?? '';
    let text = char;
    let byte = -1;
    if (char === '\\') {
      const kind = literal[at++] ?? '';
      const simple = kind === quote ? quote : SIMPLE[kind];
      if (simple !== undefined) {
        text = simple;
      } else if (kind in HEX_DIGITS) {
        const digits = HEX_DIGITS[kind] ?? 0;
        const hex = literal.slice(at, Math.min(body, at + digits));
        at += hex.length;
        if (hex.length < digits || !/^[0-9a-fA-F]*$/.test(hex)) {
          return failure(`\\${kind} must be followed by ${digits} hexadecimal digits`, from, at);
        }
        const code = Number.parseInt(hex, 16);
        if (kind === 'x' && code > 0x7f) byte = code;
        else if (code > 0x10_ff_ff || (code >= 0xd8_00 && code <= 0xdf_ff)) {
          return failure(`\\${kind}${hex} is not a Unicode character`, from, at);
        } else text = String.fromCodePoint(code);
      } else if (kind >= '0' && kind <= '7') {
        const octal = literal.slice(at - 1, Math.min(body, at + 2));
        at += octal.length - 1;
        if (!/^[0-7]{3}$/.test(octal)) return failure('an octal escape has three digits', from, at);
        const code = Number.parseInt(octal, 8);
        if (code > 0xff) return failure(`\\${octal} is more than one byte (\\377)`, from, at);
        if (code > 0x7f) byte = code;
        else text = String.fromCodePoint(code);
      } else {
        const advice =
          kind === '"' || kind === "'" || kind === '`'
            ? `${kind} needs no backslash between ${quote} quotes`
            : `write \\\\${kind} for a backslash, or use \`backticks\``;
        return failure(`unknown escape \\${kind}: ${advice}`, from, at);
      }
    }
    if (byte >= 0) {
      if (bytes.length === 0) bytesFrom = from;
      bytes.push(byte);
    }
    if (bytes.length > 0 && (byte < 0 || at >= body)) {
      try {
        value += utf8.decode(Uint8Array.from(bytes));
      } catch {
        return failure('these bytes are not UTF-8', bytesFrom, byte < 0 ? from : at);
      }
      bytes = [];
    }
    if (byte < 0) value += text;
  }
  return { ok: true, value };
}

/** The value that the beginning of a literal, cut anywhere, stands for; an escape cut short is dropped. */
export function unquotePrefix(cut: string): string {
  if (cut === '') return '';
  const result = unquote(cut + (cut[0] ?? ''));
  return result.ok ? result.value : unquotePrefix(cut.slice(0, result.from));
}

const ESCAPED: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** The value as a double-quoted literal; only what must be escaped is. */
export function quoteValue(value: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is escaped
  const body = value.replaceAll(/["\\\u0000-\u001f\u007f]/g, (char) => {
    return ESCAPED[char] ?? `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`;
  });
  return `"${body}"`;
}

/** The label name as a selector writes it: plain where the classic rules allow it, else quoted. */
export function quoteName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : quoteValue(name);
}

function failure(reason: string, from: number, to: number): Unquoted {
  return { ok: false, reason, from, to };
}
