/**
 * Numbers for people. CPU time is shown as cores: nanoseconds of CPU per nanosecond of time. Three
 * significant digits everywhere; the exact value is what the export holds.
 */

export interface Quantity {
  /** Unit of the profile type: nanoseconds, bytes, count... */
  readonly unit: string;
  /** Sample type of the profile type: cpu, wall, alloc_space... */
  readonly sampleType: string;
  /** Time that the values were taken over, in milliseconds. */
  readonly spanMs: number;
}

export interface Amount {
  readonly number: string;
  /** What follows the number, such as "cores" or "MB". */
  readonly suffix: string;
}

export function amountOf(value: number, quantity: Quantity): Amount {
  if (isCores(quantity)) return { number: threeDigits(cores(value, quantity.spanMs)), suffix: 'cores' };
  if (quantity.unit === 'nanoseconds') return durationAmount(value / 1e6);
  if (quantity.unit === 'bytes') return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
  return { number: threeDigits(value), suffix: quantity.unit === 'count' ? '' : quantity.unit };
}

export function formatAmount(value: number, quantity: Quantity): string {
  const { number, suffix } = amountOf(value, quantity);
  return suffix === '' ? number : `${number} ${suffix}`;
}

/** What the numbers of a profile type are called in headings. */
export function quantityName(quantity: Pick<Quantity, 'unit' | 'sampleType'>): string {
  return isCores(quantity) ? 'CPU cores' : quantity.sampleType.replaceAll('_', ' ');
}

export function isCores(quantity: Pick<Quantity, 'unit' | 'sampleType'>): boolean {
  return quantity.unit === 'nanoseconds' && quantity.sampleType === 'cpu';
}

/** Nanoseconds of CPU over a time span as a number of cores. */
export function cores(valueNs: number, spanMs: number): number {
  return spanMs > 0 ? valueNs / (spanMs * 1e6) : 0;
}

/** 18,432 · 312 · 1.87 · 0.0420 · 0 */
export function threeDigits(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  if (size < 0.0001) return value < 0 ? '-<0.0001' : '<0.0001';
  const decimals = Math.min(5, Math.max(0, 2 - Math.floor(Math.log10(size))));
  return value.toFixed(decimals);
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

function durationAmount(ms: number): Amount {
  if (ms >= 3_600_000) return { number: threeDigits(ms / 3_600_000), suffix: 'h' };
  if (ms >= 60_000) return { number: threeDigits(ms / 60_000), suffix: 'min' };
  if (ms >= 1000) return { number: threeDigits(ms / 1000), suffix: 's' };
  return { number: threeDigits(ms), suffix: 'ms' };
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
