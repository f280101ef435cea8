import { formatAmount, isCores, parseProfileType, type Comparison } from '@fleetflame/profile';

/** Values of a comparison as people read them: what a value comes to after its division by the denominator. */
export class ShownValues {
  readonly #comparison: Comparison;
  readonly #unit: string;
  readonly #sampleType: string;

  constructor(comparison: Comparison, profileType: string) {
    this.#comparison = comparison;
    const { sampleUnit, sampleType } = parseProfileType(profileType);
    this.#unit = sampleUnit;
    this.#sampleType = sampleType;
  }

  /** Of a value of one side, by the side's number. */
  of(side: 0 | 1, value: number): string {
    return this.scaled(value / (this.#comparison.denominators[side] || 1));
  }

  /** Of what a value is after the division. */
  scaled(value: number): string {
    const { per, isRate } = this.#comparison;
    const quantity = { unit: this.#unit, sampleType: this.#sampleType };
    if (per === 'total') return `${(100 * value).toFixed(2)} %`;
    if (!isRate) return formatAmount(value, { ...quantity, sampleType: '', spanMs: 0 });
    if (isCores(quantity)) return formatAmount(value, { ...quantity, spanMs: 1 });
    return `${formatAmount(value * 1000, { ...quantity, spanMs: 0 })}/s`;
  }

  /** With its sign; of a difference after the division. */
  change(value: number): string {
    if (value === 0) return '0';
    const size = this.scaled(Math.abs(value));
    // Of shares: 10 % → 12 % is 2 points more, and 20 %.
    return `${value > 0 ? '+' : '-'}${this.#comparison.per === 'total' ? size.replace('%', 'points') : size}`;
  }

  /** The difference of two values, each on its side. */
  difference(base: number, next: number): number {
    const [a, b] = this.#comparison.denominators;
    return next / (b || 1) - base / (a || 1);
  }

  /** "+12.5 %" of the base, "new", "gone", or "" where both are nothing. */
  percent(base: number, next: number): string {
    if (base === 0) return next === 0 ? '' : 'new';
    if (next === 0) return 'gone';
    const [a, b] = this.#comparison.denominators;
    const change = (100 * this.difference(base, next)) / (base / (a || 1));
    if (next / (b || 1) === base / (a || 1)) return '0 %';
    return `${change > 0 ? '+' : ''}${change.toFixed(Math.abs(change) < 100 ? 1 : 0)} %`;
  }
}
