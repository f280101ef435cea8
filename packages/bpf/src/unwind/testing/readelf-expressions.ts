/**
 * readelf's table of frames says only "exp" where a rule is an expression. Its raw dump has the text:
 *
 *     DW_CFA_def_cfa_expression (DW_OP_breg7 (rsp): 160; DW_OP_deref)
 *     DW_CFA_expression: r6 (rbp) (DW_OP_breg6 (rbp): 0)
 *
 * This follows the raw dump just as far as to know which expression was set last at an address.
 */
import { eachLine } from './lines.ts';

/** Of CFA and the registers, by their names. */
type Texts = Readonly<Record<string, string>>;

interface Change {
  readonly location: number;
  readonly texts: Texts;
}

/** By entry. */
export type Expressions = ReadonlyMap<string, readonly Change[]>;

export const NO_EXPRESSIONS: Expressions = new Map();

const ENTRY = /^([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ (CIE|FDE)(?: cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.)?/;
const ADVANCE = /^ {2}DW_CFA_(?:advance|set)_loc\d?: .*?([0-9a-f]{8,})$/;
const CFA = /^ {2}DW_CFA_def_cfa_expression \((.*)\)$/;
const REGISTER = /^ {2}DW_CFA_(?:val_)?expression: r\d+ \((\w+)\) \((.*)\)$/;

/** Name of an entry: section and offset. */
export function entryKey(section: number, offset: string): string {
  return `${section}:${offset}`;
}

export async function readelfExpressions(path: string): Promise<Expressions> {
  const found = new Map<string, Change[]>();
  const ofCie = new Map<string, Texts>();
  let section = 0;
  let key = '';
  let isCie = false;
  let location = 0;
  let texts: Texts = {};
  let remembered: Texts[] = [];
  const note = (): void => {
    if (isCie) ofCie.set(key, texts);
    else if (Object.keys(texts).length > 0) found.set(key, [...(found.get(key) ?? []), { location, texts }]);
  };
  await eachLine(['readelf', '-W', '--debug-dump=frames,no-follow-links', path], (line) => {
    if (line.startsWith('Contents of')) section++;
    const entry = ENTRY.exec(line);
    if (entry !== null) {
      key = entryKey(section, entry[1] ?? '');
      isCie = entry[2] === 'CIE';
      location = Number.parseInt(entry[4] ?? '0', 16);
      texts = isCie ? {} : (ofCie.get(entryKey(section, entry[3] ?? '')) ?? {});
      remembered = [];
      if (!isCie) note();
      return;
    }
    if (!line.startsWith('  DW_CFA_')) return;
    const advance = ADVANCE.exec(line);
    if (advance !== null) location = Number.parseInt(advance[1] ?? '', 16);
    else if (line === '  DW_CFA_remember_state') remembered.push(texts);
    else if (line === '  DW_CFA_restore_state') {
      texts = remembered.pop() ?? texts;
      note();
    } else {
      const cfa = CFA.exec(line);
      const register = cfa === null ? REGISTER.exec(line) : null;
      if (cfa !== null) texts = { ...texts, CFA: cfa[1] ?? '' };
      else if (register !== null)
        texts = { ...texts, [register[1] === 'rip' ? 'ra' : (register[1] ?? '')]: register[2] ?? '' };
      else return;
      note();
    }
  });
  return found;
}

/** The expression that is in force at an address for a column of the table. */
export function expressionAt(changes: readonly Change[], location: number, column: string): string {
  let text = '';
  for (const change of changes) {
    if (change.location <= location) text = change.texts[column] ?? '';
  }
  return text;
}

const PLT =
  /^DW_OP_breg7 \(rsp\): 8; DW_OP_breg16 \(rip\): 0; DW_OP_lit15; DW_OP_and; DW_OP_lit(\d+); DW_OP_ge; DW_OP_lit3; DW_OP_shl; DW_OP_plus$/;
const PLACE = /^DW_OP_breg\d+ \((\w+)\): (-?\d+)$/;
const LOADED = /^DW_OP_breg\d+ \((\w+)\): (-?\d+); DW_OP_deref(?:; DW_OP_plus_uconst: (\d+))?$/;
const INDEXED =
  /^DW_OP_breg\d+ \((\w+)\): (-?\d+); DW_OP_breg\d+ \((\w+)\): 0; DW_OP_lit8; DW_OP_mul; DW_OP_plus; DW_OP_deref; DW_OP_plus_uconst: (\d+)$/;

const signed = (text: string): string => (text.startsWith('-') ? text : `+${text}`);

/** A CFA expression as dump-rows would print it; undefined when our rules cannot say it. */
export function cfaText(expression: string): string | undefined {
  const plt = PLT.exec(expression);
  if (plt !== null) return `plt>=${plt[1]}`;
  const place = placeText(expression);
  if (place !== undefined) return place;
  const loaded = LOADED.exec(expression);
  if (loaded !== null) return `*(${loaded[1]}${signed(loaded[2] ?? '')})+${loaded[3] ?? '0'}`;
  const indexed = INDEXED.exec(expression);
  if (indexed !== null) return `*(${indexed[1]}${signed(indexed[2] ?? '')}+8*${indexed[3]})+${indexed[4]}`;
  return undefined;
}

/** "register + n". */
export function placeText(expression: string): string | undefined {
  const place = PLACE.exec(expression);
  return place === null ? undefined : `${place[1]}${signed(place[2] ?? '')}`;
}
