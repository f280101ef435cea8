/**
 * What `readelf --debug-dump=frames-interp` says of a binary, as ranges with the text that dump-rows
 * should print. Its peculiarities:
 *
 * - an FDE whose instructions are all DW_CFA_nop prints no row: the row of its CIE holds;
 * - "u" is both "undefined" and "not said"; a column that is not there is "not said" too;
 * - "exp" and "vexp" hide the expression (see readelf-expressions.ts);
 * - rows after the function's end are printed, and several for one address (the last one counts);
 * - a register is printed as "r5 (rdi)", a value computed from the CFA as "v+16".
 */
import { eachLine } from './lines.ts';
import { cfaText, entryKey, type Expressions, expressionAt, placeText } from './readelf-expressions.ts';
import type { RangeList } from './range-list.ts';

interface Row {
  readonly location: number;
  /** Column name to what is printed in it. */
  readonly columns: Readonly<Record<string, string>>;
}

interface Cie {
  readonly isSignalFrame: boolean;
  rows: Row[];
}

export interface Frame {
  readonly key: string;
  readonly isEhFrame: boolean;
  readonly start: number;
  readonly end: number;
  readonly cie: Cie;
  rows: Row[];
}

export interface ReadelfFrames {
  readonly frames: Frame[];
  /** Is "exp" or "vexp" printed anywhere? Then the raw dump is needed. */
  readonly needsRaw: boolean;
  readonly rowsPrinted: number;
}

const CIE = /^([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ CIE "([^"]*)"/;
const FDE = /^([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ FDE cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.([0-9a-f]+)/;
const LOCATION_DIGITS = 16;
/** Only these are looked at. */
const COLUMNS = new Set(['CFA', 'rbx', 'rbp', 'rsp', 'ra']);

export async function readelfFrames(path: string): Promise<ReadelfFrames> {
  const frames: Frame[] = [];
  const cies = new Map<string, Cie>();
  const shared = new Map<string, Readonly<Record<string, string>>>();
  let section = 0;
  let isEhFrame = false;
  let header = '';
  let names: string[] = [];
  let rows: Row[] = [];
  let needsRaw = false;
  let rowsPrinted = 0;
  await eachLine(['readelf', '-W', '--debug-dump=frames-interp,no-follow-links', path], (line) => {
    if (line.length > LOCATION_DIGITS && line.charCodeAt(LOCATION_DIGITS) === 32 && !line.startsWith(' ')) {
      const text = line.slice(LOCATION_DIGITS + 1);
      // A function's rows share their few texts; parsing each once halves the time.
      const key = `${header}|${text}`;
      let columns = shared.get(key);
      if (columns === undefined) {
        columns = parseColumns(names, text);
        shared.set(key, columns);
        needsRaw ||= text.includes('exp');
      }
      rows.push({ location: Number.parseInt(line.slice(0, LOCATION_DIGITS), 16), columns });
      rowsPrinted++;
      return;
    }
    if (line.startsWith('   LOC')) {
      header = line;
      names = line.trim().split(/\s+/).slice(1);
      return;
    }
    if (line.startsWith('Contents of')) {
      section++;
      isEhFrame = line.includes('.eh_frame');
      return;
    }
    const fde = FDE.exec(line);
    if (fde !== null) {
      const cie = cies.get(entryKey(section, (fde[2] ?? '').padStart(8, '0')));
      if (cie === undefined) return;
      rows = [];
      const start = Number.parseInt(fde[3] ?? '', 16);
      const end = Number.parseInt(fde[4] ?? '', 16);
      frames.push({ key: entryKey(section, fde[1] ?? ''), isEhFrame, start, end, cie, rows });
      return;
    }
    const cie = CIE.exec(line);
    if (cie === null) return;
    rows = [];
    cies.set(entryKey(section, cie[1] ?? ''), { isSignalFrame: (cie[2] ?? '').includes('S'), rows });
  });
  return { frames, needsRaw, rowsPrinted };
}

function parseColumns(names: readonly string[], text: string): Readonly<Record<string, string>> {
  const values = text
    .replaceAll(/r\d+ \((\w+)\)/g, '$1')
    .trim()
    .split(/\s+/);
  const columns: Record<string, string> = {};
  names.forEach((name, index) => {
    if (COLUMNS.has(name)) columns[name] = values[index] ?? '';
  });
  return columns;
}

/** The ranges that a frame covers, up to `limit`, with what dump-rows should print. */
export function expectedRows(frame: Frame, limit: number, expressions: Expressions, out: RangeList): void {
  const end = Math.min(frame.end, limit);
  let rows = frame.rows;
  if (rows.length === 0) rows = frame.cie.rows.map(({ columns }) => ({ location: frame.start, columns }));
  const changes = expressions.get(frame.key) ?? [];
  rows.forEach((row, index) => {
    const next = Math.min(rows[index + 1]?.location ?? end, end);
    const expression = (column: string): string => expressionAt(changes, row.location, column);
    out.add(row.location, next, expectedText(row.columns, expression, frame.cie.isSignalFrame));
  });
}

const UNSAID = new Set(['u', 's', undefined]);

function expectedText(
  columns: Readonly<Record<string, string>>,
  expression: (column: string) => string,
  isSignalFrame: boolean,
): string {
  const cfa = columns['CFA'] === 'exp' ? cfaText(expression('CFA')) : columns['CFA'];
  if (isSignalFrame && cfa === '*(rsp+160)+0' && columns['ra'] === 'exp') return 'signal';
  if (columns['ra'] === 'u') return 'end';
  if (cfa === undefined || cfa === '') return 'unsupported:cfa_expression';
  if (!UNSAID.has(columns['rsp']) && columns['rsp'] !== 'v+0') return 'unsupported:stack_pointer';
  const place = (column: string): string => {
    const value = columns[column];
    if (value !== 'exp' && value !== 'vexp') return value ?? 'u';
    const text = placeText(expression(column));
    if (text === undefined) return 'unknown';
    return value === 'exp' ? `*(${text})` : text;
  };
  const exact = isSignalFrame ? ' exact' : '';
  return `${cfa} rbp=${place('rbp')} rbx=${place('rbx')} ra=${columns['ra']}${exact}`;
}
