/** Whether a difference is one of the code, or of how the two sides were measured. */
import type { Per } from './compare-profiles.ts';

/** Of one side, what must be alike on both for a difference to mean something. */
export interface SideFacts {
  /** Sum of all values. */
  readonly total: number;
  /** Whole profile type. */
  readonly profileType: string;
  /** Value of one sample; 0: not known, or not the same in all series. */
  readonly sampleValue: number;
  /** 0: not known. */
  readonly spanMs: number;
  /** Undefined: not known. */
  readonly hosts: number | undefined;
  /** Value without a name, and value of stacks whose callers are missing. */
  readonly unnamed: number;
  readonly stopped: number;
  /** Self value that is not in the tree, because the answer was pruned: its functions are too low by it. */
  readonly pruned: number;
  /** Parts of the data that were asked for and answered; undefined: a file, which is whole. */
  readonly coverage:
    | { readonly expected: number; readonly answered: number; readonly gaps: number }
    | undefined;
}

/** Differences of shares beyond it are warnings: they look like new code. */
const MOST_POINTS = 1;

/** A sentence for each thing that is not alike; none when the sides are comparable. */
export function comparabilityWarnings(base: SideFacts, next: SideFacts, per: Per): string[] {
  const warnings: string[] = [];
  const sides = [
    ['BASE', base],
    ['NEW', next],
  ] as const;
  for (const [name, { total, coverage }] of sides) {
    if (total === 0) warnings.push(`${name} has no samples`);
    if (coverage === undefined || isWhole(coverage)) continue;
    const gaps = coverage.gaps > 0 ? `, and ${coverage.gaps} parts of its time are not stored any more` : '';
    warnings.push(
      `${name} lacks ${coverage.expected - coverage.answered} of ${coverage.expected} blocks${gaps}: its numbers are too low`,
    );
  }
  if (base.profileType !== next.profileType)
    warnings.push(`the types differ: BASE is ${base.profileType}, NEW is ${next.profileType}`);
  if (base.sampleValue !== next.sampleValue && base.total !== 0 && next.total !== 0) {
    warnings.push(
      `the sampling periods differ: one sample is ${weight(base)} in BASE, ${weight(next)} in NEW`,
    );
  }
  if (per === 'time' && base.spanMs > 0 !== next.spanMs > 0) {
    const [without] = base.spanMs > 0 ? ['NEW'] : ['BASE'];
    warnings.push(
      `${without} does not say how long it took: values are compared as they are; per total compares shares`,
    );
  }
  if (per === 'time' && base.hosts !== undefined && next.hosts !== undefined && base.hosts !== next.hosts) {
    warnings.push(
      `BASE is of ${base.hosts} ${base.hosts === 1 ? 'host' : 'hosts'}, NEW of ${next.hosts}: per total compares shares`,
    );
  }
  for (const [what, key] of [
    ['has no function name', 'unnamed'],
    ['has incomplete stacks', 'stopped'],
  ] as const) {
    const [was, is] = [percent(base[key], base.total), percent(next[key], next.total)];
    if (Math.abs(is - was) > MOST_POINTS)
      warnings.push(
        `${was.toFixed(1)} % of BASE ${what}, but ${is.toFixed(1)} % of NEW: that looks like new code`,
      );
  }
  return warnings;
}

/** Nothing that was asked for is missing. */
export function isWhole(coverage: SideFacts['coverage']): boolean {
  return coverage === undefined || (coverage.answered >= coverage.expected && coverage.gaps === 0);
}

function weight({ sampleValue }: SideFacts): string {
  return sampleValue > 0 ? String(sampleValue) : 'not known or not one';
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole;
}
