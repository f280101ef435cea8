/**
 * Rollups: what is in blocks of one resolution, once more in blocks of the next.
 *
 *   resolution   made from              of windows         a month of one shard
 *   raw          –                      level 0 to 5       30 blocks
 *   5 minutes    raw                    level 2 to 5       30 small ones
 *   1 hour       5 minutes              level 5            30 smaller ones
 *
 * A block is either not in the next resolution at all, or all of it is: the row's `rolledUp` says which,
 * and changes in the transaction that adds the rollup. So at any moment, for every resolution,
 *
 *   everything = blocks of the resolution + blocks of finer ones that are not rolled up
 *
 * whatever came late; select-blocks.ts reads by that. Raw blocks may go while their rollups stay.
 */
import { FleetflameError } from '@fleetflame/profile';

export interface RollupLevel {
  readonly resolutionMs: number;
  /** Resolution of what it is made from; 0: raw. */
  readonly fromMs: number;
  /**
   * Blocks below this level have less than a point's time in them, or come and go too fast. A block is rolled up once,
   * at whatever level: what is merged of it later counts as rolled up.
   */
  readonly fromLevel: number;
}

export const ROLLUP_LEVELS: readonly RollupLevel[] = [
  { resolutionMs: 300_000, fromMs: 0, fromLevel: 2 },
  { resolutionMs: 3_600_000, fromMs: 300_000, fromLevel: 5 },
];

/** What tells the hosts, pods and threads of one service apart: most of the series, little of the questions about months. */
export const DROPPED_LABELS: readonly string[] = [
  'container_id',
  'container_name',
  'host_id',
  'host_name',
  'k8s_node_name',
  'k8s_pod_name',
  'k8s_pod_uid',
  'process_pid',
  'thread_id',
  'thread_name',
];

export interface RollupOptions {
  /** How long blocks of five minutes are kept. */
  readonly fiveMinutesMs: number;
  /** How long blocks of an hour are kept. */
  readonly hourMs: number;
  /** Default: DROPPED_LABELS. */
  readonly dropLabels?: readonly string[];
}

/** A day is rolled up when it is merged, 26 hours after its end; and a compactor may be down for a while. */
const LEAST_RAW_MS = 3 * 86_400_000;

/** How long blocks are kept, by resolution. Throws invalid_input when something would go before it is rolled up. */
export function retentionByResolution(
  rawMs: number,
  rollups: RollupOptions | undefined,
): ReadonlyMap<number, number> {
  if (rollups === undefined) return new Map([[0, rawMs]]);
  const { fiveMinutesMs, hourMs } = rollups;
  if (rawMs < LEAST_RAW_MS || fiveMinutesMs < rawMs || hourMs < fiveMinutesMs) {
    throw new FleetflameError(
      'invalid_input',
      `With rollups, raw data is kept for ${LEAST_RAW_MS / 86_400_000} days at least, rollups of 5 minutes at least as long ` +
        `as raw data, and those of an hour at least as long as those of 5 minutes; not for ` +
        `${[rawMs, fiveMinutesMs, hourMs].map((ms) => Math.round(ms / 3_600_000)).join(' h, ')} h.`,
      { field: 'retention' },
    );
  }
  return new Map([
    [0, rawMs],
    [300_000, fiveMinutesMs],
    [3_600_000, hourMs],
  ]);
}
