import { resolveProfileType } from '@fleetflame/profile';

/**
 * The profile type to ask for: what the link says, else CPU, else what people look at first.
 * Undefined when there is none in the range. A type that is not there is asked for as it is, so that
 * the server says what there is instead.
 */
export function chooseProfileType(
  wanted: string,
  types: readonly { readonly id: string; readonly total: bigint; readonly isDefault: boolean }[],
): string | undefined {
  if (types.length === 0) return undefined;
  try {
    return resolveProfileType(
      wanted,
      types.map(({ id, total, isDefault }) => ({ id, total: Number(total), isDefault })),
    ).id;
  } catch {
    return wanted;
  }
}
