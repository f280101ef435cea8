import { frameIds } from '../flame/frame-ids.ts';
import type { FlameAnswer, TopAnswer } from './answers.ts';

export interface SelectedFunction {
  readonly name: string;
  readonly filename: string;
  readonly binary: string;
}

/** The function of an id, from the table, else from the flame graph, which may show smaller ones. */
export function selectedFunction(
  id: string,
  top: TopAnswer | undefined,
  flame: FlameAnswer | undefined,
): SelectedFunction | undefined {
  if (id === '') return undefined;
  const row = top?.functions.find((fn) => fn.id === id);
  if (row !== undefined) return { name: row.name, filename: row.filename, binary: row.binary };
  if (flame === undefined) return undefined;
  const { frames } = flame.table;
  const frame = frameIds(frames).indexOf(id);
  if (frame < 0) return undefined;
  const text = (column: Uint32Array): string => frames.strings[column[frame]!] ?? '';
  return { name: text(frames.name), filename: text(frames.filename), binary: text(frames.binary) };
}
