import { FleetflameError } from '../errors.ts';
import { parseProfileType } from './profile-type.ts';

/** Choices that an error lists; more would hide the sentence. */
const LISTED = 20;

/**
 * The whole profile type that `wanted` names among the available ones: itself, or the only one with
 * that sample type (cpu), or with that name and sample type (process_cpu:cpu), or with that name
 * (process_cpu). Throws invalid_input where it is ambiguous, not_found where it is not there; both
 * list the choices.
 */
export function resolveProfileType(wanted: string, available: readonly string[]): string {
  if (available.includes(wanted)) return wanted;
  const types = available.map((id) => ({ id, ...parseProfileType(id) }));
  // Most specific reading first; a later one counts only where the earlier ones find nothing.
  const readings: readonly ((type: (typeof types)[number]) => boolean)[] = [
    (type) => type.sampleType === wanted,
    (type) => type.id.startsWith(`${wanted}:`),
  ];
  for (const reading of wanted === '' ? [] : readings) {
    const found = types.filter((type) => reading(type));
    const [only] = found;
    if (only !== undefined && found.length === 1) return only.id;
    if (found.length > 1) {
      throw new FleetflameError(
        'invalid_input',
        `profile type "${wanted}" is ambiguous, it can be ${list(found.map((type) => type.id))}`,
        { field: 'profile_type' },
      );
    }
  }
  const choices = available.length === 0 ? 'there are none' : `there is ${list(available)}`;
  const what = wanted === '' ? 'no profile type was given' : `there is no profile type "${wanted}"`;
  throw new FleetflameError(wanted === '' ? 'invalid_input' : 'not_found', `${what}: ${choices}`, {
    field: 'profile_type',
  });
}

function list(ids: readonly string[]): string {
  const sorted = [...ids].sort();
  const shown = sorted.slice(0, LISTED).join(', ');
  return sorted.length > LISTED ? `${shown} and ${sorted.length - LISTED} more` : shown;
}
