/** A block without the series that have a label with a value: nothing of them is left, names included. */
import { mergeBlocks, selectProfiles, selectSamples, SERVICE_NAME, type Block } from '@fleetflame/profile';
import { datasetName } from './dataset-sums.ts';

export interface LabelValue {
  readonly name: string;
  readonly value: string;
}

export interface ErasedBlock {
  /** What is left. */
  readonly block: Block;
  /** Sums of what went, as `sumDatasets` names them. */
  readonly removed: ReadonlyMap<string, bigint>;
  readonly removedRows: number;
}

/** Undefined: no series has it. */
export function eraseLabel(block: Block, { name, value }: LabelValue): ErasedBlock | undefined {
  const { series, samples } = block;
  const kept = new Uint8Array(series.length).fill(1);
  for (let row = 0; row < series.length; row++) {
    if (labelOf(block, row, name) === value) kept[row] = 0;
  }
  if (!kept.includes(0)) return undefined;
  const removed = new Map<string, bigint>();
  let removedRows = 0;
  for (let row = 0; row < samples.length; row++) {
    const index = samples.series[row]!;
    if (kept[index] === 1) continue;
    removedRows++;
    const dataset = datasetName(
      block.strings.at(series.profileType[index]!),
      labelOf(block, index, SERVICE_NAME),
    );
    removed.set(dataset, (removed.get(dataset) ?? 0n) + BigInt(samples.total[row]!));
  }
  // The merge leaves out what no row refers to any more: series, stacks, names.
  const rest = mergeBlocks([
    {
      ...block,
      series: selectProfiles(block, (row) => kept[row] === 1),
      samples: selectSamples(samples, kept),
    },
  ]);
  return { block: rest, removed, removedRows };
}

function labelOf({ series, strings }: Block, row: number, name: string): string {
  for (let at = series.labelStart[row]!; at < series.labelStart[row + 1]!; at++) {
    if (strings.at(series.labelName[at]!) === name) return strings.at(series.labelValue[at]!);
  }
  return '';
}
