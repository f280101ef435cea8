import type { BatchRows } from '../block/batch-rows.ts';
import type { Block } from '../block/block.ts';
import type { ImportChange } from './import-changes.ts';

/** What every decoder of a foreign format gives. */
export interface DecodedProfile {
  readonly block: Block;
  /** Sum of the values of each profile type in the file, 0 included. */
  readonly totals: Map<string, number>;
  /** Unix milliseconds at which the samples are. */
  readonly timeMs: number;
  /** What the profile says it covers; 0: it does not say. */
  readonly durationMs: number;
  /** Samples have times of their own within it: they are not spread over it. */
  readonly isTimed?: boolean;
  /** The sample type that the profile wants shown first; "" where it does not say. */
  readonly defaultSampleType: string;
  /** What had to be changed so that nothing else is lost. */
  readonly changes: readonly ImportChange[];
}

/** The same with its samples over tables that are shared with others. */
export interface DecodedRows extends Omit<DecodedProfile, 'block'> {
  readonly rows: BatchRows;
}

/** What a decoder is told beside the file. */
export interface DecodeProfileOptions {
  /** Added to every sample; they win over the sample's own labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Unix milliseconds of all samples. Default: the file's own. */
  readonly timeMs?: number | undefined;
  /** Unix milliseconds that samples get when neither says; default: such a file is refused. */
  readonly arrivalMs?: number | undefined;
  /** What the values are, where the file does not say: a sample type, or a whole profile type. */
  readonly type?: string | undefined;
  /** Their unit, where the file does not say. */
  readonly unit?: string | undefined;
  /** Told of every value below 0, before equal stacks are summed; `sample` counts from 0. */
  readonly onNegative?: ((profileType: string, value: number, sample: number) => void) | undefined;
}
