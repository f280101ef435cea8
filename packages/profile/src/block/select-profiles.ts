import type { Block, SeriesTable } from './block.ts';

/**
 * The series with those of their profiles that are wanted, by series row and time in ms since the block's start;
 * `shift` is taken off the times.
 */
export function selectProfiles(
  { series }: Pick<Block, 'series'>,
  wanted: (row: number, time: number) => boolean,
  shift = 0,
): SeriesTable {
  if (series.profileTime.length === 0) return series;
  const profileStart = new Uint32Array(series.length + 1);
  const profileTime = new Uint32Array(series.profileTime.length);
  const profileDuration = new Uint32Array(profileTime.length);
  const profileCount = new Uint32Array(profileTime.length);
  let end = 0;
  for (let row = 0; row < series.length; row++) {
    for (let at = series.profileStart[row]!; at < series.profileStart[row + 1]!; at++) {
      const time = series.profileTime[at]!;
      if (!wanted(row, time)) continue;
      profileTime[end] = time - shift;
      profileDuration[end] = series.profileDuration[at]!;
      profileCount[end++] = series.profileCount[at]!;
    }
    profileStart[row + 1] = end;
  }
  return {
    ...series,
    profileStart,
    profileTime: profileTime.slice(0, end),
    profileDuration: profileDuration.slice(0, end),
    profileCount: profileCount.slice(0, end),
  };
}
