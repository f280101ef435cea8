import { FleetflameError } from '@fleetflame/profile';

const MEBIBYTE = 1024 ** 2;
const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KiB: 1024,
  MB: 1e6,
  MiB: MEBIBYTE,
  GB: 1e9,
  GiB: 1024 ** 3,
};

/**
 * Bytes of a size such as 32MiB, 500kB or 1048576, at most `max`.
 * Throws FleetflameError invalid_input that names `option`.
 */
export function parseBytes(text: string, option: string, max: number): number {
  const [, count, unit = 'B'] = /^(\d+(?:\.\d+)?) ?(B|kB|KiB|MB|MiB|GB|GiB)?$/.exec(text) ?? [];
  const bytes = count === undefined ? Number.NaN : Math.round(Number(count) * (UNIT_BYTES[unit] ?? 0));
  if (!(bytes >= 0 && bytes <= max)) {
    const largest = max % MEBIBYTE === 0 ? `${max / MEBIBYTE}MiB` : `${max}B`;
    throw new FleetflameError(
      'invalid_input',
      `${option}: "${text}" is not a size from 0 to ${largest}; write for example 500kB or 32MiB`,
      { field: option },
    );
  }
  return bytes;
}
