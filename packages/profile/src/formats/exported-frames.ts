import type { Block, LocationIndex } from '../block/block.ts';
import { baseName } from '../projection/block-frames.ts';

/** A frame as formats without addresses have it. */
export interface ExportedFrame {
  readonly name: string;
  /** "" where unknown. */
  readonly file: string;
  /** 0 where unknown, as are the others. */
  readonly line: number;
  readonly column: number;
  readonly startLine: number;
}

/** What a frame without a name is called: binary+0xaddress. */
export function unnamedFrame({ locations, mappings, strings }: Block, row: LocationIndex): string {
  const file = strings.at(mappings.file[locations.mapping[row]!]!);
  return `${baseName(file) || '[unknown]'}+0x${locations.address[row]!.toString(16)}`;
}

/** The frames at a location, outermost first: inlined calls are frames of their own. */
export function exportedFrames(block: Block, row: LocationIndex): ExportedFrame[] {
  const { locations, functions, strings } = block;
  const frames: ExportedFrame[] = [];
  for (let line = locations.lineStart[row + 1]! - 1; line >= locations.lineStart[row]!; line--) {
    const fn = locations.lineFunction[line]!;
    frames.push({
      name: strings.at(functions.name[fn]!) || unnamedFrame(block, row),
      file: strings.at(functions.filename[fn]!),
      line: locations.lineNumber[line]!,
      column: locations.lineColumn[line]!,
      startLine: functions.startLine[fn]!,
    });
  }
  if (frames.length > 0) return frames;
  return [{ name: unnamedFrame(block, row), file: '', line: 0, column: 0, startLine: 0 }];
}

/** The locations of a stack, outermost first. */
export function pathOf({ stacks }: Block, stack: number): LocationIndex[] {
  const path: LocationIndex[] = [];
  for (let at = stack; at !== 0; at = stacks.parent[at]!) path.push(stacks.location[at]!);
  return path.reverse();
}
