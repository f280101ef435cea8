import { formatProfileType, parseProfileType } from '../profile-type/profile-type.ts';
import { FleetflameError } from '../errors.ts';
import { profileTypeOf } from './pprof/profile-type-of.ts';

/** Sample types that are CPU time or samples of it, whatever wrote the file. */
const CPU = new Set(['cpu', 'samples']);

const UNITS: Readonly<Record<string, string>> = {
  cpu: 'nanoseconds',
  wall: 'nanoseconds',
  samples: 'count',
  alloc_space: 'bytes',
  inuse_space: 'bytes',
  space: 'bytes',
};

/** The whole profile type of a sample type, in the form that pprof files of the same kind have. */
export function importedType(sampleType: string, unit?: string): string {
  const sampleUnit = unit ?? UNITS[sampleType] ?? 'count';
  const period = periodOf(sampleType);
  return formatProfileType(profileTypeOf({ type: sampleType, unit: sampleUnit }, period));
}

function periodOf(sampleType: string): { readonly type: string; readonly unit: string } {
  if (CPU.has(sampleType)) return { type: 'cpu', unit: 'nanoseconds' };
  if (sampleType === 'wall') return { type: 'wall', unit: 'nanoseconds' };
  // Heaps are sampled by allocated bytes.
  if (/^(?:(?:alloc|inuse)_)?(?:space|objects)$/.test(sampleType)) return { type: 'space', unit: 'bytes' };
  return { type: '', unit: '' };
}

/**
 * The type that values of a file get which does not say: what the push says, a sample type or a whole
 * profile type, else `fallback`. Throws invalid_input.
 */
export function saidType(
  said: { readonly type?: string | undefined; readonly unit?: string | undefined },
  fallback: { readonly type: string; readonly unit?: string | undefined },
): string {
  const type = said.type === undefined || said.type === '' ? undefined : said.type;
  const unit = said.unit === undefined || said.unit === '' ? undefined : said.unit;
  if (type?.includes(':') === true) {
    const whole = parseProfileType(type);
    if (unit !== undefined && unit !== whole.sampleUnit) {
      throw new FleetflameError(
        'invalid_input',
        `The type ${type} has the unit ${whole.sampleUnit}, but the unit ${unit} was given: give one of them.`,
        { field: 'unit' },
      );
    }
    return type;
  }
  if (unit?.includes(':') === true) {
    throw new FleetflameError('invalid_input', `"${unit}" is no unit: units have no colon.`, {
      field: 'unit',
    });
  }
  return importedType(type ?? fallback.type, unit ?? (type === undefined ? fallback.unit : undefined));
}
