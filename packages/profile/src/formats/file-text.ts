import type { ImportChanges } from './import-changes.ts';
import { decodeUtf8, escapeNonUtf8 } from './lenient-utf8.ts';

/** The text of a file: UTF-8, with or without a byte order mark, or the UTF-16 that some Windows tools write. */
export function fileText(bytes: Uint8Array, changes: ImportChanges): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  const body = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
  const text = decodeUtf8(body);
  if (text !== undefined) return text;
  // Line by line: one name in another encoding does not change the others, and the example is short.
  changes.note('text_not_utf8', () => firstOddLine(body));
  return escapeNonUtf8(body);
}

function firstOddLine(bytes: Uint8Array): string {
  for (let from = 0; from < bytes.length;) {
    const newline = bytes.indexOf(10, from);
    const line = bytes.subarray(from, newline < 0 ? bytes.length : newline);
    if (decodeUtf8(line) === undefined) return escapeNonUtf8(line.subarray(0, 400));
    from += line.length + 1;
  }
  return '';
}

/** Calls `line` with each line and its number from 1, without line breaks. */
export function eachLine(text: string, line: (text: string, number: number) => void): void {
  let number = 0;
  for (let from = 0; from < text.length;) {
    const newline = text.indexOf('\n', from);
    const to = newline < 0 ? text.length : newline;
    const end = to > from && text.charCodeAt(to - 1) === 13 ? to - 1 : to;
    line(text.slice(from, end), ++number);
    from = to + 1;
  }
}
