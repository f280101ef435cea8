import type { Block } from '../../block/block.ts';
import { parseProfileType } from '../../profile-type/profile-type.ts';
import { nanosecondsIn, unitFactor } from '../../profile-type/units.ts';
import { missingLabelName } from '../../projection/flame-builder.ts';
import { exportedFrames, pathOf } from '../exported-frames.ts';
import { foldSamples } from '../folded/fold-samples.ts';

export interface EncodeSpeedscopeOptions {
  /** The whole profile type to export. */
  readonly profileType: string;
  /** Labels by whose values there is a profile each; default: one profile of all. */
  readonly groupBy?: readonly string[] | undefined;
}

interface Frame {
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
  readonly col?: number;
}

/** Units of time that speedscope has, by nanoseconds. */
const TIMES: ReadonlyMap<number, string> = new Map([
  [1, 'nanoseconds'],
  [1e3, 'microseconds'],
  [1e6, 'milliseconds'],
  [1e9, 'seconds'],
]);

/**
 * The samples of one profile type as a file of speedscope: a sampled profile for each combination of the labels, whose
 * stacks are summed over time, each with its weight. Kept are names, files, lines and columns of frames; not
 * addresses, binaries, periods, or which call was inlined. Times and bytes are said to be so, all else are numbers.
 */
export function encodeSpeedscope(
  block: Block,
  { profileType, groupBy = [] }: EncodeSpeedscopeOptions,
): string {
  const { sampleType, sampleUnit } = parseProfileType(profileType);
  const { unit, scale } = unitOf(sampleUnit);
  const frames: Frame[] = [];
  const known = new Map<string, number>();
  const ofLocation = new Map<number, readonly number[]>();
  const frameRows = (location: number): readonly number[] => {
    let rows = ofLocation.get(location);
    if (rows !== undefined) return rows;
    rows = exportedFrames(block, location).map(({ name, file, line, column }) => {
      const frame: Frame = {
        name,
        ...(file === '' ? {} : { file }),
        ...(line === 0 ? {} : { line }),
        ...(column === 0 ? {} : { col: column }),
      };
      const key = JSON.stringify(frame);
      let row = known.get(key);
      if (row === undefined) {
        known.set(key, (row = frames.length));
        frames.push(frame);
      }
      return row;
    });
    ofLocation.set(location, rows);
    return rows;
  };
  const { groups } = foldSamples(block, profileType, (labels) =>
    labels.filter(([name]) => groupBy.includes(name)),
  );
  const profiles = groups.map(({ labels, stacks, values }) => {
    const words = groupBy.map(
      (name) => labels.find(([label]) => label === name)?.[1] ?? missingLabelName(name),
    );
    const weights = Array.from(values, (value) => value * scale);
    return {
      type: 'sampled',
      name: words.length === 0 ? sampleType : words.join(', '),
      unit,
      startValue: 0,
      endValue: weights.reduce((sum, weight) => sum + weight, 0),
      samples: Array.from(stacks, (stack) => pathOf(block, stack).flatMap(frameRows)),
      weights,
    };
  });
  const empty = {
    type: 'sampled',
    name: sampleType,
    unit,
    startValue: 0,
    endValue: 0,
    samples: [],
    weights: [],
  };
  return JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    exporter: 'fleetflame',
    name: profileType,
    activeProfileIndex: 0,
    shared: { frames },
    profiles: profiles.length === 0 ? [empty] : profiles,
  });
}

function unitOf(sampleUnit: string): { readonly unit: string; readonly scale: number } {
  const nanoseconds = nanosecondsIn(sampleUnit);
  if (nanoseconds !== undefined) {
    const own = TIMES.get(nanoseconds);
    return own === undefined ? { unit: 'nanoseconds', scale: nanoseconds } : { unit: own, scale: 1 };
  }
  const bytes = unitFactor(sampleUnit, 'bytes');
  return bytes === undefined ? { unit: 'none', scale: 1 } : { unit: 'bytes', scale: bytes };
}
