/** Random numbers of a seed, for simulations. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1 (mulberry32). */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Of mean 1 and the coefficient of variation `cv` (Marsaglia and Tsang 2000, shape 1/cv² ≥ 1). */
  gamma(cv: number): number {
    if (cv === 0) return 1;
    const shape = 1 / cv ** 2;
    const d = shape - 1 / 3;
    for (;;) {
      const x = this.normal();
      const v = (1 + x / Math.sqrt(9 * d)) ** 3;
      if (v > 0 && Math.log(1 - this.uniform()) < (x * x) / 2 + d - d * v + d * Math.log(v))
        return (d * v) / shape;
    }
  }

  /** By counting arrivals, thirty at a time so that e^-30 is still a number. */
  poisson(mean: number): number {
    let count = 0;
    for (let rest = mean; rest > 0; rest -= 30) {
      const end = Math.exp(-Math.min(30, rest));
      for (let product = this.uniform(); product > end; product *= this.uniform()) count++;
    }
    return count;
  }
}
