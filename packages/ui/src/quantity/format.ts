/**
 * Numbers for people, of what the page shows beside the values of profiles (profile/src/quantity): three significant digits everywhere;
 * the exact value is what the export holds.
 */
import { isCores, threeDigits, type Amount, type Quantity } from '@fleetflame/profile';

export {
  amountOf,
  cores,
  formatAmount,
  isCores,
  threeDigits,
  type Amount,
  type Quantity,
} from '@fleetflame/profile';

/** What the numbers of a profile type are called in headings. */
export function quantityName(quantity: Pick<Quantity, 'unit' | 'sampleType'>): string {
  return isCores(quantity) ? 'CPU cores' : quantity.sampleType.replaceAll('_', ' ');
}

/** For axes, whose numbers are round: 1,200 · 2.5 · 0.05 */
export function roundNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

/** 44.7 % · 3.21 % · 0.04 % · <0.01 % */
export function percent(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  const share = (part / whole) * 100;
  if (share < 0.01) return '<0.01 %';
  if (share >= 99.95 && share < 100) return '>99.9 %';
  return `${share >= 10 ? share.toFixed(1) : share.toFixed(2)} %`;
}

export function integer(value: number | bigint): string {
  return value.toLocaleString('en-US');
}

/** "1 host", "12 hosts" */
export function counted(count: number | bigint, one: string, many = `${one}s`): string {
  return `${integer(count)} ${Number(count) === 1 ? one : many}`;
}

export function bytes(size: number): string {
  const { number, suffix } = scaled(size, 1000, ['B', 'kB', 'MB', 'GB', 'TB']);
  return `${number} ${suffix}`;
}

/**
 * The sampling error of a value: with n samples, Poisson says ±√n at one sigma. Undefined when the
 * value of one sample is not known.
 */
export function sampling(
  value: number,
  period: number,
): { readonly samples: number; readonly errorShare: number } | undefined {
  if (period <= 0) return undefined;
  const samples = Math.round(value / period);
  return { samples, errorShare: samples > 0 ? 1 / Math.sqrt(samples) : 1 };
}

function scaled(value: number, base: number, suffixes: readonly string[]): Amount {
  let rest = value;
  let step = 0;
  while (Math.abs(rest) >= base && step < suffixes.length - 1) {
    rest /= base;
    step++;
  }
  return {
    number: step === 0 ? Math.round(rest).toLocaleString('en-US') : threeDigits(rest),
    suffix: suffixes[step] ?? '',
  };
}
