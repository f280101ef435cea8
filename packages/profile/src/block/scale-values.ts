import type { Block } from './block.ts';

/** What is done with the series of a profile type. */
export interface SeriesScale {
  /** Its values are multiplied by it: a whole number. */
  readonly value: number;
  /** Its period is multiplied by it; where that is no integer, the period is unknown. */
  readonly period: number;
}

/**
 * The block with the values of some series in another unit. `scaleOf` has one entry per profile type; without one a
 * series stays as it is. The same block when nothing changes. Sums are exact up to 2^53, as all are.
 */
export function scaleValues(block: Block, scaleOf: ReadonlyMap<string, SeriesScale>): Block {
  const { series, samples, strings } = block;
  const scales = new Map<number, SeriesScale | undefined>();
  const ofSeries = Array.from(series.profileType, (type) => {
    if (!scales.has(type)) scales.set(type, scaleOf.get(strings.at(type)));
    return scales.get(type);
  });
  if (ofSeries.every((scale) => scale === undefined || (scale.value === 1 && scale.period === 1)))
    return block;
  const total = samples.total.slice();
  const value = samples.value.slice();
  for (let row = 0; row < samples.length; row++) {
    const factor = ofSeries[samples.series[row]!]?.value ?? 1;
    if (factor === 1) continue;
    total[row] = total[row]! * factor;
    for (let at = samples.pointStart[row]!; at < samples.pointStart[row + 1]!; at++) {
      value[at] = value[at]! * factor;
    }
  }
  const period = series.period.map((own, row) => {
    const scaled = own * (ofSeries[row]?.period ?? 1);
    return Number.isInteger(scaled) ? scaled : 0;
  });
  return { ...block, series: { ...series, period }, samples: { ...samples, total, value } };
}
