import type { FrameTable } from '@fleetflame/profile';
import { functionId } from '../url/function-id.ts';
import { LABEL_KIND, ROOT_KIND, STOPPED_KIND } from './layout.ts';

const known = new WeakMap<FrameTable, readonly string[]>();

/** Function id of every frame; '' for labels, the root and markers of stopped stacks, which are no functions. */
export function frameIds(frames: FrameTable): readonly string[] {
  let ids = known.get(frames);
  if (ids === undefined) {
    ids = Array.from({ length: frames.length }, (_, f) => {
      const kind = frames.kind[f];
      if (kind === LABEL_KIND || kind === ROOT_KIND || kind === STOPPED_KIND) return '';
      const text = (column: Uint32Array): string => frames.strings[column[f]!] ?? '';
      return functionId(text(frames.name), text(frames.filename), text(frames.binary));
    });
    known.set(frames, ids);
  }
  return ids;
}

/** 1 for every frame of the function; undefined when it has none. */
export function framesOf(frames: FrameTable, id: string): Uint8Array | undefined {
  if (id === '') return undefined;
  const ids = frameIds(frames);
  const marks = Uint8Array.from(ids, (other) => (other === id ? 1 : 0));
  return marks.includes(1) ? marks : undefined;
}
