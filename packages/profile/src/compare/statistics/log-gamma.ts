/** Below it the argument is moved up first: there the series has fewer correct digits. */
const SERIES_FROM = 15;

/** ln Γ(x) of x > 0, to about 14 digits: Stirling's series (DLMF 5.11.1) from 15 on, by Γ(x+1) = xΓ(x) below. */
export function logGamma(x: number): number {
  let product = 1;
  let at = x;
  while (at < SERIES_FROM) product *= at++;
  const inverse = 1 / at;
  const square = inverse * inverse;
  const series =
    inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))));
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}
