/**
 * `NEW - BASE` as it is shown: exact integers, the denominators that make both sides comparable, what is new and gone,
 * and which differences are more than chance. All scaling is left to the last division.
 */
import type { FrameIndex, FrameKind } from '../projection/flame-table.ts';
import { FRAME_KINDS } from '../projection/flame-table.ts';
import { compareTrees, type ComparedProfile, type ComparedTree } from './compared-tree.ts';
import { BASE, NEW, type MatchMode, type SideIndex } from './frame-matcher.ts';
import { benjaminiHochberg } from './statistics/benjamini-hochberg.ts';
import { testRatios, type RatioSide, type RatioTest } from './statistics/ratio-test.ts';

/** What values are divided by: the length of the window, or all of what was selected. */
export const NORMALISATIONS = ['time', 'total'] as const;
export type Per = (typeof NORMALISATIONS)[number];

/** Of what is reported as significant, the share that is expected to be chance. */
export const FALSE_DISCOVERY_RATE = 0.05;
/** Functions with fewer samples on both sides together are not tested. */
export const MIN_SAMPLES = 30;
/** Hosts on each side from which on the spread over hosts is the measure. */
export const MIN_HOSTS = 3;
/** Both sides are the same hosts when these hold such a share of the value on either side. */
const SAME_HOSTS = 0.8;

/**
 * What the error of a difference is made of. `hosts`: the spread over units of hosts, never below sampling.
 * `sampling`: of sampling alone, which says nothing of how much hosts or runs differ. `none`: it is not known what
 * one sample weighs, so nothing is tested.
 */
export type Basis = 'hosts' | 'sampling' | 'none';

export interface CompareOptions {
  readonly match?: MatchMode;
  readonly per?: Per;
  /** Length of each side's window, ms: [base, new]; 0: not known, then values are compared as they are. */
  readonly spanMs?: readonly [number, number];
  /** Value of one sample: [base, new]; 0: not known. */
  readonly sampleValue?: readonly [number, number];
}

export type Presence = 'both' | 'new' | 'gone';

/** A test of one difference; `p` is of this test alone, `significant` of all of them together. */
export interface Significance extends RatioTest {
  readonly significant: boolean;
}

export interface FunctionDelta {
  readonly frame: FrameIndex;
  readonly name: string;
  readonly binary: string;
  readonly kind: FrameKind;
  readonly self: number;
  readonly baseSelf: number;
  /** Recursion counts once. */
  readonly total: number;
  readonly baseTotal: number;
  readonly presence: Presence;
  /** It is inlined on one side where it is called on the other. */
  readonly inliningChanged: boolean;
  /** Undefined: not tested, for too few samples or for none whose weight is known. */
  readonly selfTest: Significance | undefined;
  readonly totalTest: Significance | undefined;
}

export interface Comparison {
  readonly compared: ComparedTree;
  readonly per: Per;
  readonly match: MatchMode;
  /** [base, new]: values are divided by it. 1: values are compared as they are. */
  readonly denominators: readonly [number, number];
  /** Whether windows are known: `per time` is a rate then. */
  readonly isRate: boolean;
  readonly basis: Basis;
  /** The hosts of both sides are the same ones. */
  readonly paired: boolean;
  /** Names that were joined to others by their comparison name. */
  readonly joinedNames: number;
  readonly newFunctions: number;
  readonly goneFunctions: number;
  /** Tests made, and the largest p that is reported; 0: none is. */
  readonly tests: number;
  readonly threshold: number;
  /** All functions: largest change of self first (in the normalisation), then of total, then by name. */
  readonly functions: readonly FunctionDelta[];
}

const NO_FUNCTIONS = new Set(
  (['label', 'stopped', 'root'] as const).map((kind) => FRAME_KINDS.indexOf(kind)),
);

export function compareProfiles(
  base: ComparedProfile,
  next: ComparedProfile,
  options: CompareOptions = {},
): Comparison {
  const { match = 'names', per = 'time', spanMs = [0, 0], sampleValue = [0, 0] } = options;
  const compared = compareTrees(base, next, match);
  const isRate = spanMs[BASE] > 0 && spanMs[NEW] > 0;
  const denominators = denominatorsOf(compared.totals, per, isRate, spanMs);
  const isTested = sampleValue.every((value) => value > 0) && denominators.every((d) => d > 0);
  const sizes = compared.hosts.map((hosts) => hosts?.size ?? 0);
  const byHosts = isTested && sizes.every((size) => size >= MIN_HOSTS);
  const units = byHosts ? compared.unitSums() : undefined;
  const paired = byHosts && areSameHosts(...compared.hosts);
  const unitDenominators = units?.map((side, i) =>
    per === 'total' ? side.values : shareOut(side.hosts, denominators[i]!),
  );

  const testOf = (fn: FrameIndex, what: 'self' | 'total'): RatioTest | undefined => {
    if (!isTested) return undefined;
    const of = (side: SideIndex): RatioSide => {
      const unit = units?.[side];
      return {
        value: compared.functions[side][what][fn]!,
        denominator: denominators[side],
        sampleValue: sampleValue[side],
        units: unit && {
          values: Float64Array.from(unit.functions, (sums) => sums[what][fn]!),
          denominators: unitDenominators![side]!,
        },
      };
    };
    const [a, b] = [of(BASE), of(NEW)];
    const samples = a.value / a.sampleValue + b.value / b.sampleValue;
    return samples >= MIN_SAMPLES ? testRatios(a, b, paired) : undefined;
  };

  const rows: Row[] = [];
  const p: number[] = [];
  const { matcher } = compared;
  for (let fn = 1; fn < matcher.frames.length; fn++) {
    const row = rowOf(compared, fn);
    if (row === undefined) continue;
    const tests = { self: testOf(fn, 'self'), total: testOf(fn, 'total') };
    for (const test of [tests.self, tests.total]) if (test !== undefined) p.push(test.p);
    rows.push({ ...row, tests });
  }
  const threshold = benjaminiHochberg(p, FALSE_DISCOVERY_RATE);
  const functions = rows.map(({ tests, ...row }) => ({
    ...row,
    selfTest: judged(tests.self, threshold),
    totalTest: judged(tests.total, threshold),
  }));
  const change = (value: number, was: number): number =>
    Math.abs(value / (denominators[NEW] || 1) - was / (denominators[BASE] || 1));
  const ordered = functions
    .map((fn) => ({ fn, self: change(fn.self, fn.baseSelf), total: change(fn.total, fn.baseTotal) }))
    .sort((x, y) => y.self - x.self || y.total - x.total || compareText(x.fn, y.fn));
  return {
    compared,
    per,
    match,
    denominators,
    isRate,
    basis: byHosts ? 'hosts' : isTested ? 'sampling' : 'none',
    paired,
    joinedNames: matcher.joinedNames,
    newFunctions: functions.filter(({ presence }) => presence === 'new').length,
    goneFunctions: functions.filter(({ presence }) => presence === 'gone').length,
    tests: p.length,
    threshold,
    functions: ordered.map(({ fn }) => fn),
  };
}

type Delta = Omit<FunctionDelta, 'selfTest' | 'totalTest'>;

interface Row extends Delta {
  readonly tests: { readonly self: RatioTest | undefined; readonly total: RatioTest | undefined };
}

/** Undefined for what is no function, and for one without value on both sides. */
function rowOf({ matcher, functions }: ComparedTree, frame: FrameIndex): Delta | undefined {
  if (NO_FUNCTIONS.has(matcher.frames.kind[frame]!)) return undefined;
  const [a, b] = functions;
  const [self, baseSelf] = [b.self[frame]!, a.self[frame]!];
  const [total, baseTotal] = [b.total[frame]!, a.total[frame]!];
  const isThere = self !== 0 || total !== 0;
  const wasThere = baseSelf !== 0 || baseTotal !== 0;
  if (!isThere && !wasThere) return undefined;
  const presence = isThere && wasThere ? 'both' : isThere ? 'new' : 'gone';
  return {
    frame,
    ...matcher.shownOf(frame),
    kind: matcher.kindOf(frame),
    self,
    baseSelf,
    total,
    baseTotal,
    presence,
    inliningChanged: matcher.inliningChanged(frame),
  };
}

function denominatorsOf(
  totals: readonly [number, number],
  per: Per,
  isRate: boolean,
  spanMs: readonly [number, number],
): readonly [number, number] {
  if (per === 'total') return totals;
  return isRate ? spanMs : [1, 1];
}

/** The denominator over units, by their hosts: each host ran as long as the window. */
function shareOut(hosts: Float64Array, denominator: number): Float64Array {
  const all = hosts.reduce((sum, count) => sum + count, 0);
  return hosts.map((count) => (denominator * count) / all);
}

type HostValues = ReadonlyMap<string, number> | undefined;

function areSameHosts(base: HostValues = new Map(), next: HostValues = new Map()): boolean {
  return shareOfCommon(base, next) >= SAME_HOSTS && shareOfCommon(next, base) >= SAME_HOSTS;
}

/** Of the value of hosts, what those have that are on the other side, too. */
function shareOfCommon(own: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): number {
  let common = 0;
  let all = 0;
  for (const [host, value] of own) {
    all += value;
    if (other.has(host)) common += value;
  }
  return common / all;
}

function judged(test: RatioTest | undefined, threshold: number): Significance | undefined {
  return test && { ...test, significant: threshold > 0 && test.p <= threshold };
}

function compareText(a: Delta, b: Delta): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.binary < b.binary ? -1 : 1;
}
