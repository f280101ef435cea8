import { isCount } from './folded/import-folded.ts';
import type { FormatName } from './format-name.ts';
import { wordLayout } from './gperftools/import-gperftools-cpu.ts';
import { isHeapText } from './gperftools/import-heap-text.ts';
import { isObject } from './json-file.ts';
import { hasOtherMagic, otherFile } from './name-other-file.ts';
import { parsePerfHeader } from './perf-script/perf-header.ts';

/** Bytes that are looked at: the first lines, or the shape of some JSON. */
const LOOKED_AT = 65_536;

/** The format of a file, found out from its content. Throws invalid_input, naming what it is instead. */
export function detectFormat(bytes: Uint8Array): FormatName {
  if (bytes[0] === 0x46 && bytes[1] === 0x4c && bytes[2] === 0x52 && bytes[3] === 0) return 'jfr';
  if (hasOtherMagic(bytes) || bytes.length === 0) throw otherFile(bytes, undefined, undefined);
  if (wordLayout(bytes) !== undefined) return 'gperftools-cpu';
  if (looksLikePprof(bytes)) return 'pprof';
  const start = textStart(bytes);
  if (start === undefined) throw otherFile(bytes, undefined, undefined);
  if (isHeapText(start)) return 'heap-text';
  const trimmed = start.trimStart();
  // Stacks may begin with a brace or a bracket, too: [unknown];main 3.
  if (/^(?:\{\s*["}]|\[\s*[[{"\]])/.test(trimmed)) {
    const format = ofJson(bytes, trimmed);
    if (format !== undefined) return format;
    throw otherFile(bytes, start, undefined);
  }
  const lines = firstLines(bytes, start);
  if (lines.some((line) => parsePerfHeader(line, false) !== undefined)) return 'perf-script';
  if (areFolded(lines)) return 'folded';
  if (lines.some((line) => parsePerfHeader(line, true)?.event !== undefined && /:\s*$/.test(line)))
    return 'perf-script';
  throw otherFile(bytes, start, undefined);
}

const MOST_LINES = 200;

/** Whole lines: of one that is longer than what was looked at, all of it. */
function firstLines(bytes: Uint8Array, start: string): string[] {
  const lines = start.split('\n').slice(0, MOST_LINES);
  if (bytes.length <= LOOKED_AT || lines.length === MOST_LINES) return lines;
  if (lines.length > 1) return lines.slice(0, -1);
  const newline = bytes.indexOf(10);
  return [new TextDecoder().decode(bytes.subarray(0, newline < 0 ? bytes.length : newline))];
}

/** Bytes that are no text and begin with the tag of a field of a profile, of the right wire type. */
function looksLikePprof(bytes: Uint8Array): boolean {
  const [tag = 0] = bytes;
  const field = tag >> 3;
  const isNumber = (field >= 7 && field <= 10) || field === 12 || field === 14 || field === 15;
  const isMessage = (field >= 1 && field <= 6) || field === 11 || field === 13;
  const fits = (tag & 7) === 0 ? isNumber : (tag & 7) === 2 && isMessage;
  return fits && tag < 0x80 && textStart(bytes) === undefined;
}

/** The beginning as text; undefined when it is none. */
function textStart(bytes: Uint8Array): string | undefined {
  const start = bytes.subarray(0, LOOKED_AT);
  if ((start[0] === 0xff && start[1] === 0xfe) || (start[0] === 0xfe && start[1] === 0xff)) {
    return new TextDecoder(start[0] === 0xff ? 'utf-16le' : 'utf-16be').decode(start);
  }
  let beyondAscii = 0;
  for (const byte of start) {
    // Names may hold escape sequences and tabs; texts have no other control characters.
    if (byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== 0x1b)) return undefined;
    if (byte >= 0x80) beyondAscii++;
  }
  const text = new TextDecoder().decode(start);
  // Names in Latin-1 are no UTF-8 either, but few bytes of theirs are not.
  return beyondAscii * 3 > start.length && text.includes('\uFFFD') ? undefined : text;
}

/** speedscope and V8 by the names that their files have, wherever they stand. */
function ofJson(bytes: Uint8Array, start: string): FormatName | undefined {
  const text = bytes.length <= LOOKED_AT ? start : new TextDecoder().decode(bytes);
  if (bytes.length > MOST_JSON) return ofJsonText(start);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return ofJsonText(start);
  }
  if (isObject(json)) {
    if (isObject(json['shared']) && Array.isArray(json['profiles'])) return 'speedscope';
    if (Array.isArray(json['nodes']) && !isObject(json['snapshot'])) return 'cpuprofile';
    if (Array.isArray(json['traceEvents'])) return 'cpuprofile';
  }
  if (Array.isArray(json) && json.some((it) => isObject(it) && 'ph' in it && 'cat' in it))
    return 'cpuprofile';
  throw otherFile(bytes, undefined, json);
}

/** Larger JSON is told by its beginning. */
const MOST_JSON = 4 << 20;

function ofJsonText(start: string): FormatName | undefined {
  if (start.includes('speedscope') || (start.includes('"shared"') && start.includes('"frames"')))
    return 'speedscope';
  if (start.includes('"callFrame"') || start.includes('"traceEvents"')) return 'cpuprofile';
  return undefined;
}

/** Nine of ten lines end with a count after a space, and they are stacks or all lines are like that. */
function areFolded(lines: readonly string[]): boolean {
  let stacks = 0;
  let others = 0;
  let semicolons = 0;
  for (const line of lines) {
    const text = line.trim();
    if (text === '' || text.startsWith('# ')) continue;
    const end = Math.max(text.lastIndexOf(' '), text.lastIndexOf('\t'));
    if (end > 0 && isCount(text.slice(end + 1))) stacks++;
    else others++;
    if (text.includes(';')) semicolons++;
  }
  return stacks > 0 && (semicolons > 0 ? others * 9 <= stacks : others === 0);
}
