/**
 * Which profile types a question means. Profilers name the same thing in several ways: with another period type, or
 * none, in another unit. What has the same sample type, units of one family, and the same name of the profile (mutex and
 * block stay apart), is one question, answered by the sum in the smallest of the units, into which all others
 * are whole numbers; several that could be meant are a choice, not an error.
 */
import { FleetflameError } from '../errors.ts';
import { parseProfileType } from './profile-type.ts';
import { isCpuTime, unitKey, unitFactor, unitOf } from './units.ts';

/** Choices that an error lists; more would hide the sentence. */
const LISTED = 20;

/** What is asked for first when nobody says what, after CPU time, what profiles want to be shown first, and samples of the CPU. */
const DEFAULT_ORDER = ['wall', 'inuse_space', 'live', 'alloc_space', 'goroutine', 'samples'];

export interface PresentType {
  readonly id: string;
  /** Sum of its values in the range, in its own unit. */
  readonly total: number;
  /** Profiles of it say that it is what to show first. */
  readonly isDefault?: boolean;
}

export interface TypeGroup {
  /** Stands for all: the largest of those with the smallest unit. */
  readonly id: string;
  readonly ids: readonly string[];
  /** In the unit of `id`. */
  readonly total: number;
  /** Profiles of one of them say that it is what to show first. */
  readonly isDefault: boolean;
}

/** Sums travel as 64-bit integers; totals are of whole datasets, so about what an answer can hold at most. */
const LARGEST_SUM = 2 ** 62;

export interface ResolvedType extends TypeGroup {
  /** Others that could have been meant, largest first. */
  readonly others: readonly string[];
}

/** Types that are one question, largest total first. */
export function groupProfileTypes(present: readonly PresentType[]): TypeGroup[] {
  const groups = Map.groupBy(present, ({ id }) => questionOf(id));
  return [...groups.values()].flatMap((types) => {
    const whole = groupOf(types);
    if (whole.total <= LARGEST_SUM) return [whole];
    // In one unit they would be more than an answer can hold: each unit stays a question of its own.
    return [...Map.groupBy(types, ({ id }) => unitKey(parseProfileType(id).sampleUnit)).values()].map(
      groupOf,
    );
  });
}

function groupOf(types: readonly PresentType[]): TypeGroup {
  const units = types.map(({ id }) => parseProfileType(id).sampleUnit);
  const smallest = units.reduce((least, unit) => ((unitFactor(unit, least) ?? 1) < 1 ? unit : least));
  const scaled = types.map(({ id, total }, i) => {
    const factor = unitFactor(units[i] ?? '', smallest) ?? 1;
    return { id, factor, total: total * factor };
  });
  const sorted = scaled.toSorted((a, b) => b.total - a.total || (a.id < b.id ? -1 : 1));
  return {
    id: sorted.find(({ factor }) => factor === 1)?.id ?? '',
    ids: sorted.map(({ id }) => id),
    total: sorted.reduce((sum, { total }) => sum + total, 0),
    isDefault: types.some(({ isDefault }) => isDefault === true),
  };
}

/** How many of the unit of `into` one of the unit of `from` is: both are one question. */
export function typeFactor(from: string, into: string): number {
  return from === into
    ? 1
    : (unitFactor(parseProfileType(from).sampleUnit, parseProfileType(into).sampleUnit) ?? 1);
}

/**
 * The profile types that `wanted` names among the present ones: a whole type, a sample type (cpu), a name and sample type
 * (process_cpu:cpu), or a name (process_cpu). Of several the default is taken: CPU time, what profiles say, samples of the
 * CPU, then DEFAULT_ORDER, then the largest. "": the default of all. Throws not_found, with what there is.
 */
export function resolveProfileType(wanted: string, present: readonly PresentType[]): ResolvedType {
  const groups = groupProfileTypes(present);
  const exact = groups.find(({ ids }) => ids.includes(wanted));
  if (exact !== undefined) return { ...exact, others: [] };
  const readings: readonly ((id: string) => boolean)[] =
    wanted === ''
      ? [() => true]
      : [
          (id) => parseProfileType(id).sampleType === wanted,
          (id) => id.startsWith(`${wanted}:`),
          (id) => wanted === 'cpu' && isCpu(id),
        ];
  for (const reading of readings) {
    const [best, ...rest] = groups.filter(({ ids }) => ids.some(reading)).toSorted(byDefault);
    if (best === undefined) continue;
    // Nobody said what: then all that is not as good is no other choice.
    const others = wanted === '' ? rest.filter((other) => rank(other) === rank(best)) : rest;
    return { ...best, others: others.map(({ id }) => id) };
  }
  const choices = present.length === 0 ? 'there are none' : `there is ${list(present.map(({ id }) => id))}`;
  const what = wanted === '' ? 'no profile type was given' : `there is no profile type "${wanted}"`;
  throw new FleetflameError(wanted === '' ? 'invalid_input' : 'not_found', `${what}: ${choices}`, {
    field: 'profile_type',
  });
}

/** Equal for types that are one question. */
function questionOf(id: string): string {
  const type = parseProfileType(id);
  // Without a period type a file says nothing of the profile's name but the sample type.
  const name = isCpuTime(type) ? 'process_cpu' : type.name;
  return JSON.stringify([name, type.sampleType, unitOf(type.sampleUnit).family]);
}

function isCpu(id: string): boolean {
  return isCpuTime(parseProfileType(id));
}

function byDefault(a: TypeGroup, b: TypeGroup): number {
  return rank(a) - rank(b) || size(b) - size(a) || (a.id < b.id ? -1 : 1);
}

/** The lower the sooner. */
function rank({ id, isDefault }: TypeGroup): number {
  const { name, sampleType, periodType } = parseProfileType(id);
  if (isCpu(id)) return 0;
  if (isDefault) return 1;
  if (sampleType === 'samples' && (name === 'process_cpu' || periodType === 'cpu')) return 2;
  const place = DEFAULT_ORDER.indexOf(sampleType);
  return 3 + (place < 0 ? DEFAULT_ORDER.length : place);
}

/** In the family's own unit, so that microseconds and nanoseconds, kilobytes and bytes can be compared. */
function size({ id, total }: TypeGroup): number {
  const { size: own, exponent } = unitOf(parseProfileType(id).sampleUnit);
  return total * own * Number(`1e${exponent}`);
}

function list(ids: readonly string[]): string {
  const sorted = [...ids].sort();
  const shown = sorted.slice(0, LISTED).join(', ');
  return sorted.length > LISTED ? `${shown} and ${sorted.length - LISTED} more` : shown;
}
