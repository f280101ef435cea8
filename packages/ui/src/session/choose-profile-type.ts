import { resolveProfileType } from '@fleetflame/profile';

const CPU = 'cpu';

/**
 * The profile type to ask for: what the link says, else CPU, else the one with the largest total.
 * Undefined when there is none in the range. A type that is not there is asked for as it is, so that
 * the server says what there is instead.
 */
export function chooseProfileType(
  wanted: string,
  types: readonly { readonly id: string; readonly total: bigint }[],
): string | undefined {
  if (types.length === 0) return undefined;
  const ids = types.map(({ id }) => id);
  try {
    return resolveProfileType(wanted === '' ? CPU : wanted, ids);
  } catch {
    if (wanted !== '') return wanted;
    return types.reduce((best, type) => (type.total > best.total ? type : best)).id;
  }
}
