import { compareStrings } from '../../block/tables/compare-strings.ts';
import type { LabelSet } from '../folded/fold-samples.ts';

/**
 * pprof samples have string labels and numeric ones (a number and a unit, such as bytes=1024 bytes).
 * A series has only strings, so a numeric label is kept as a decimal string under its own name, where
 * selectors find it: {thread_id="12"}. That it was a number, and its unit, is kept in one more label,
 * a JSON object from name to unit, so that an export has the same labels as the import:
 *
 *   bytes="1024", thread_id="12", pprof_numeric_labels='{"bytes":"bytes","thread_id":""}'
 */
export const NUMERIC_LABELS = 'pprof_numeric_labels';

/** `units`: from the name of a numeric label to its unit, "" for none. Undefined when there are none. */
export function formatNumericLabels(units: ReadonlyMap<string, string>): string | undefined {
  if (units.size === 0) return undefined;
  // By hand: an object would sort names that look like integers first, and has a __proto__.
  const entries = [...units].sort(([a], [b]) => compareStrings(a, b));
  return `{${entries.map(([name, unit]) => `${JSON.stringify(name)}:${JSON.stringify(unit)}`).join(',')}}`;
}

/** The inverse. Blocks come from other sources too: what is not of this form names no numeric label. */
export function parseNumericLabels(text: string | undefined): ReadonlyMap<string, string> {
  if (text === undefined) return new Map();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new Map();
  }
  if (typeof value !== 'object' || value === null) return new Map();
  return new Map(
    Object.entries(value).flatMap(([name, unit]: [string, unknown]) =>
      typeof unit === 'string' ? [[name, unit] as const] : [],
    ),
  );
}

/** The labels with the given names, and what is known of the numeric ones among them. */
export function keepLabels(labels: LabelSet, names: readonly string[]): LabelSet {
  const kept = labels.filter(([name]) => names.includes(name) && name !== NUMERIC_LABELS);
  const units = parseNumericLabels(labels.find(([name]) => name === NUMERIC_LABELS)?.[1]);
  const numeric = formatNumericLabels(
    new Map([...units].filter(([name]) => kept.some(([label]) => label === name))),
  );
  return numeric === undefined ? kept : [...kept, [NUMERIC_LABELS, numeric]];
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** The number of a numeric label's value; undefined when it is none that pprof can hold. */
export function parseNumericValue(value: string): bigint | undefined {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(value)) return undefined;
  const number = BigInt(value);
  return number >= INT64_MIN && number <= INT64_MAX ? number : undefined;
}
