import type { BlockBuilder } from '../block/block-builder.ts';

/** File of the mapping of frames that stand for what an import could not keep. */
export const IMPORT_MAPPING_FILE = '[import]';

/** A frame that says something about the import instead of the program. */
export function markerLocation(builder: BlockBuilder, name: string): number {
  const text = builder.string(name);
  const mapping = builder.mapping(builder.string(IMPORT_MAPPING_FILE), 0, 'unknown');
  return builder.location(mapping, 0, 0, [builder.function(text, 0, 0, 0), 0]);
}

/** Stands for the frames in the middle of a stack that was too deep. */
export function cutMarker(builder: BlockBuilder, leftOut: number): number {
  return markerLocation(builder, `[${leftOut} frames left out]`);
}
