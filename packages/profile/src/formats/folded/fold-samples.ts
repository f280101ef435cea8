import type { Block } from '../../block/block.ts';

/** Labels of a series as (name, value), ascending by name. */
export type LabelSet = readonly (readonly [name: string, value: string])[];

/** The samples of one label set: a value per stack, ascending by stack. */
export interface FoldedGroup {
  readonly labels: LabelSet;
  readonly stacks: Uint32Array;
  readonly values: Float64Array;
}

export interface FoldedSamples {
  /** In the order of the first series of each. */
  readonly groups: readonly FoldedGroup[];
  /** The sampling period, 0 where the series differ in it. */
  readonly period: number;
}

/**
 * Sums the samples of one profile type over time, and over series whose labels `project` makes equal
 * (default: none). Sums of 0 are left out.
 */
export function foldSamples(
  block: Block,
  profileType: string,
  project?: (labels: LabelSet) => LabelSet,
): FoldedSamples {
  const { series, samples, strings } = block;
  const rowsByLabels = new Map<string, { labels: LabelSet; rows: [from: number, to: number][] }>();
  let period: number | undefined;
  let from = 0;
  while (from < samples.length) {
    const row = samples.series[from]!;
    let to = from + 1;
    while (to < samples.length && samples.series[to] === row) to++;
    if (strings.at(series.profileType[row]!) === profileType) {
      const all = labelsOf(block, row);
      const labels = project === undefined ? all : project(all);
      const key = JSON.stringify(labels);
      const known = rowsByLabels.get(key);
      if (known === undefined) rowsByLabels.set(key, { labels, rows: [[from, to]] });
      else known.rows.push([from, to]);
      const seriesPeriod = series.period[row]!;
      period = period === undefined || period === seriesPeriod ? seriesPeriod : 0;
    }
    from = to;
  }

  const sums = new Float64Array(block.stacks.length);
  const groups: FoldedGroup[] = [];
  for (const { labels, rows } of rowsByLabels.values()) {
    const touched = new Uint8Array(rows.length > 1 ? block.stacks.length : 0);
    const stacks: number[] = [];
    for (const [first, end] of rows) {
      for (let sample = first; sample < end; sample++) {
        const stack = samples.stack[sample]!;
        sums[stack]! += samples.total[sample]!;
        // Within one series a stack comes once.
        if (rows.length > 1) {
          if (touched[stack] === 1) continue;
          touched[stack] = 1;
        }
        stacks.push(stack);
      }
    }
    const kept = Uint32Array.from(stacks)
      .sort()
      .filter((stack) => sums[stack] !== 0);
    groups.push({ labels, stacks: kept, values: Float64Array.from(kept, (stack) => sums[stack]!) });
    for (const stack of stacks) sums[stack] = 0;
  }
  return { groups, period: period ?? 0 };
}

function labelsOf({ series, strings }: Block, row: number): LabelSet {
  const labels: [string, string][] = [];
  for (let label = series.labelStart[row]!; label < series.labelStart[row + 1]!; label++) {
    labels.push([strings.at(series.labelName[label]!), strings.at(series.labelValue[label]!)]);
  }
  return labels;
}
