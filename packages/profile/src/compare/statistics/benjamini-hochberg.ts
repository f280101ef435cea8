/**
 * Which of a family of tests are reported so that at most a share `q` of what is reported is expected to be chance:
 * the tests with the k smallest p, where k is the largest with p(k) ≤ q·k/m (Benjamini and Hochberg 1995). Returns the
 * largest p that is reported; 0: none is (p itself is never 0).
 */
export function benjaminiHochberg(p: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(p).sort();
  for (let k = sorted.length; k > 0; k--) {
    const at = sorted[k - 1]!;
    if (at <= (q * k) / sorted.length) return Math.max(at, Number.MIN_VALUE);
  }
  return 0;
}
