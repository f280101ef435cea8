import type { FlameTable } from '@fleetflame/profile';
import type { Quantity } from '../quantity/format.ts';

/** A flame graph to look at: the table and what its numbers mean. */
export interface FlameData {
  readonly table: FlameTable;
  readonly quantity: Quantity;
  /** Value of one sample; 0 is unknown. */
  readonly period: number;
}
