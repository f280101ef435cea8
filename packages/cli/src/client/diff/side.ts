import {
  FleetflameError,
  parseProfileType,
  unitFactor,
  type ComparedProfile,
  type FlameTree,
  type SideFacts,
} from '@fleetflame/profile';
import type { Coverage } from '@fleetflame/proto/query/v1/query';

/** One argument of `fleetflame diff`, read. */
export interface DiffSide {
  /** The argument, as it was written. */
  readonly source: string;
  readonly profile: ComparedProfile;
  /** `facts.profileType` is "" where there are no samples whose type it could be. */
  readonly facts: SideFacts;
  /** Of a server's answer; undefined for a file. */
  readonly coverage: Coverage | undefined;
  /** What makes this side less than exact, in sentences. */
  readonly notes: readonly string[];
}

/**
 * Values that are all multiples of so much are multiples of a period, not counts of samples: exports of this
 * product in nanoseconds, read back from a format that has no place for the period.
 */
const LEAST_PERIOD = 100_000;

/** Of two sides without samples. */
const SOME_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/** Value of one sample where nobody says it: what values of both sides are multiples of, if that can be a period. */
export function guessSampleValue(trees: readonly FlameTree[]): number {
  let divisor = 0;
  for (const { self, length } of trees) {
    for (let i = 0; i < length && divisor !== 1; i++) {
      if (!Number.isSafeInteger(self[i]!)) return 0;
      divisor = greatestDivisor(divisor, Math.abs(self[i]!));
    }
  }
  return divisor >= LEAST_PERIOD ? divisor : 0;
}

function greatestDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return x;
}

/** Samples that are counted weigh 1. */
export function isSampleCount(profileType: string): boolean {
  const { sampleType, sampleUnit } = parseProfileType(profileType);
  return sampleType === 'samples' && unitFactor(sampleUnit, 'count') === 1;
}

/** Both sides in one unit. Throws invalid_input, naming both, where units cannot be converted. */
export function alignUnits(base: DiffSide, next: DiffSide): readonly [DiffSide, DiffSide] {
  if (base.facts.profileType === '' || next.facts.profileType === '') {
    // What has no samples has no type of its own.
    const type = base.facts.profileType || next.facts.profileType || SOME_TYPE;
    return [ofType(base, type), ofType(next, type)];
  }
  const [a, b] = [base, next].map(({ facts }) => parseProfileType(facts.profileType).sampleUnit);
  const factor = unitFactor(a ?? '', b ?? '');
  if (factor === undefined) {
    throw new FleetflameError(
      'invalid_input',
      `${base.source} is ${base.facts.profileType}, in ${a || 'no unit'}; ${next.source} is ${next.facts.profileType}, in ${b || 'no unit'}: different units cannot be subtracted. --type names a type that both have, such as samples or cpu.`,
      { field: 'type' },
    );
  }
  if (factor > 1) return [inUnitOf(base, next, factor), next];
  return factor < 1 ? [base, inUnitOf(next, base, 1 / factor)] : [base, next];
}

function ofType(side: DiffSide, profileType: string): DiffSide {
  return { ...side, facts: { ...side.facts, profileType } };
}

/** Whole multiples: the unit of `other` is the smaller one. */
function inUnitOf(side: DiffSide, other: DiffSide, exact: number): DiffSide {
  const factor = Math.round(exact);
  const { profile, facts } = side;
  const tree = profile.tree.clone();
  for (let i = 0; i < tree.length; i++) tree.self[i] = tree.self[i]! * factor;
  return {
    ...side,
    profile: { ...profile, tree },
    facts: {
      ...facts,
      profileType: other.facts.profileType,
      total: facts.total * factor,
      sampleValue: facts.sampleValue * factor,
      unnamed: facts.unnamed * factor,
      stopped: facts.stopped * factor,
      pruned: facts.pruned * factor,
    },
    notes: [
      ...side.notes,
      `${side.source} is ${facts.profileType}: its values are multiplied by ${factor} to be in ${parseProfileType(other.facts.profileType).sampleUnit}`,
    ],
  };
}
