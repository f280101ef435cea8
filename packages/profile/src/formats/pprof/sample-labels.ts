import type { PprofStrings } from './pprof-strings.ts';
import { shortened } from '../import-changes.ts';
import type { ImportChanges } from '../import-changes.ts';
import type { PprofLimits } from './limits.ts';
import { formatNumericLabels, NUMERIC_LABELS } from './numeric-labels.ts';

/** Numbers that describe one label: key, str, num (low, high), num_unit. */
export const LABEL_WORDS = 5;

/** A name that Fleetflame keeps for itself is kept under this prefix, as Prometheus does. */
const RENAMED = 'exported_';

interface LabelValues {
  /** In the order of the file, each once. */
  readonly values: Set<string>;
  /** Units of the values that are numbers; one entry for each value. */
  readonly units: (string | undefined)[];
}

/**
 * The labels of one sample, joined with those of the request, which win. pprof allows a label several
 * times, and a text beside a number: such values are joined with commas, numbers stay numbers where
 * all have one unit ("1,2"), and have their units behind them where they have not ("1 bytes,2 pages").
 *
 * `words`: LABEL_WORDS for each label, strings as indices.
 */
export function sampleLabels(
  words: Uint32Array,
  count: number,
  strings: PprofStrings,
  context: {
    readonly labels: Readonly<Record<string, string>>;
    readonly limits: PprofLimits;
    readonly changes: ImportChanges;
  },
): Record<string, string> {
  const { labels, limits, changes } = context;
  const byName = new Map<string, LabelValues>();
  for (let index = 0; index < count; index++) readLabel(words, index * LABEL_WORDS, strings, context, byName);
  const texts = new Map<string, string>();
  const units = new Map<string, string>();
  for (const [name, { values, units: valueUnits }] of byName) {
    const [first] = valueUnits;
    const isNumber = first !== undefined && valueUnits.every((unit) => unit === first);
    const shown = isNumber
      ? [...values].map((value) => value.slice(0, value.indexOf(' ')))
      : [...values].map((value, i) => (valueUnits[i] === undefined ? value : value.trimEnd()));
    if (shown.length > 1) changes.note('label_joined', () => `${name}=${shown.join(',')}`);
    texts.set(name, cut(shown.join(','), limits.labelValueLength, changes));
    if (isNumber) units.set(name, first);
  }
  for (const [name, value] of Object.entries(labels)) {
    const known = texts.get(name);
    if (known !== undefined && known !== value) {
      changes.note('label_replaced', () => `${name}=${known} is now ${value}`);
    }
    texts.set(name, value);
    units.delete(name);
  }
  const numericLabels = formatNumericLabels(units);
  if (numericLabels !== undefined) texts.set(NUMERIC_LABELS, numericLabels);
  // Object.fromEntries defines __proto__ like any other name.
  return Object.fromEntries(texts);
}

function readLabel(
  words: Uint32Array,
  at: number,
  strings: PprofStrings,
  { limits, changes }: { readonly limits: PprofLimits; readonly changes: ImportChanges },
  byName: Map<string, LabelValues>,
): void {
  const text = strings.at(words[at + 1]!);
  const low = words[at + 2]!;
  const high = words[at + 3]!;
  const unit = strings.at(words[at + 4]!);
  const numeric = low !== 0 || high !== 0 || unit !== '';
  // Neither is the empty string, which is the same as no label.
  if (!numeric && text === '') return;
  const name = labelName(strings.at(words[at]!), limits, changes);
  if (name === '') {
    changes.note('label_left_out', () => `a label without a name: ${text}`);
    return;
  }
  let known = byName.get(name);
  if (known === undefined) {
    known = { values: new Set(), units: [] };
    byName.set(name, known);
  }
  if (text !== '') add(known, text, undefined);
  // With its unit, so that 1 byte and 1 page are two values.
  if (numeric) add(known, `${(BigInt(high | 0) << 32n) | BigInt(low)} ${unit}`, unit);
}

function add({ values, units }: LabelValues, value: string, unit: string | undefined): void {
  if (values.has(value)) return;
  values.add(value);
  units.push(unit);
}

function labelName(name: string, limits: PprofLimits, changes: ImportChanges): string {
  if (name === NUMERIC_LABELS) {
    changes.note('label_renamed', name);
    return `${RENAMED}${name}`;
  }
  return cut(name, limits.labelNameLength, changes);
}

function cut(text: string, most: number, changes: ImportChanges): string {
  if (text.length <= most) return text;
  changes.note('label_cut', text);
  return shortened(text, most);
}
