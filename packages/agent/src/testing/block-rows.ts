import type { Block } from '@fleetflame/profile';

export interface Frame {
  /** Name of the function, "" without one. */
  readonly name: string;
  readonly file: string;
  readonly buildId: string;
  readonly address: bigint;
}

/** One (series, stack) of a block, for tests. */
export interface Row {
  readonly labels: Readonly<Record<string, string>>;
  readonly total: number;
  /** Outermost first. */
  readonly frames: readonly Frame[];
}

export function blockRows(block: Block): Row[] {
  const text = (index: number | undefined): string => block.strings.at(index ?? 0);
  const { series, samples, stacks, locations, functions, mappings } = block;
  const frameOf = (location: number): Frame => {
    const mapping = locations.mapping[location] ?? 0;
    const line = locations.lineStart[location] ?? 0;
    const hasName = line < (locations.lineStart[location + 1] ?? 0);
    return {
      name: hasName ? text(functions.name[locations.lineFunction[line] ?? 0]) : '',
      file: text(mappings.file[mapping]),
      buildId: text(mappings.buildId[mapping]),
      address: locations.address[location] ?? 0n,
    };
  };
  const rows: Row[] = [];
  for (let row = 0; row < samples.length; row++) {
    const labels: Record<string, string> = {};
    const s = samples.series[row] ?? 0;
    for (let label = series.labelStart[s] ?? 0; label < (series.labelStart[s + 1] ?? 0); label++) {
      labels[text(series.labelName[label])] = text(series.labelValue[label]);
    }
    const frames: Frame[] = [];
    for (let stack = samples.stack[row] ?? 0; stack !== 0; stack = stacks.parent[stack] ?? 0) {
      frames.unshift(frameOf(stacks.location[stack] ?? 0));
    }
    rows.push({ labels, total: samples.total[row] ?? 0, frames });
  }
  return rows;
}
