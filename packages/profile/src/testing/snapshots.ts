import type { Block, SeriesKind } from '../block/block.ts';
import { BlockBuilder } from '../block/block-builder.ts';

export interface Snapshot {
  readonly timeMs: number;
  readonly durationMs?: number;
  /** Values by stack, outermost frame first: { 'main;fill': 3 }. */
  readonly values: Readonly<Record<string, number>>;
}

export const TEST_SNAPSHOT_TYPE = 'memory:space:bytes:space:bytes';

/** Profiles of one series, as blocks: one each. */
export function blocksOfSnapshots(
  kind: SeriesKind,
  labels: Readonly<Record<string, string>>,
  snapshots: readonly Snapshot[],
  profileType = TEST_SNAPSHOT_TYPE,
): Block[] {
  return snapshots.map(({ timeMs, durationMs = 0, values }) => {
    const builder = new BlockBuilder();
    const series = builder.series(profileType, 1, labels, kind);
    builder.profile(series, timeMs, durationMs);
    for (const [frames, value] of Object.entries(values)) {
      let stack = 0;
      for (const frame of frames.split(';')) {
        const fn = builder.function(builder.string(frame), 0, 0, 0);
        stack = builder.stack(stack, builder.location(0, 0, 0, [fn, 0]));
      }
      builder.add(series, stack, timeMs, value);
    }
    return builder.build();
  });
}
