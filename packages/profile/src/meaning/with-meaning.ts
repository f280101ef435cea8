import { seriesOfRows, type BatchRows } from '../block/batch-rows.ts';
import { BlockBuilder } from '../block/block-builder.ts';
import { SERIES_KINDS, SERVICE_NAME, type SeriesKind } from '../block/block.ts';
import { serviceOf } from '../block/datasets.ts';
import { datasetKey } from '../block/default-types.ts';
import { BLOCK_LIMITS } from '../block/limits.ts';
import { ProfileList } from '../block/tables/profile-list.ts';
import { parseProfileType } from '../profile-type/profile-type.ts';
import { kindOfType } from './kind-of-type.ts';

const UNMAPPED = 0xffff_ffff;

export interface PushedProfile {
  readonly timeMs: number;
  readonly durationMs: number;
  /** Of all its types; default: what their names say. */
  readonly kind?: SeriesKind | undefined;
  /** Those of the push, which all its series have. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** All its profile types, also those without a value. */
  readonly types?: Iterable<string>;
  /** The sample type that it says is to be shown first; "": it does not say. */
  readonly defaultSampleType?: string;
}

/**
 * The rows of one pushed profile with the kind of each series, and with the profile that they were taken from.
 * Snapshots are noted at a series of the pushed labels alone as well (profile-sources.ts). A rate that is longer than a block may hold (profileDurationMs)
 * is divided into as many as it needs, evenly.
 */
export function withMeaning(
  taken: BatchRows,
  { timeMs, durationMs, kind, labels = {}, types = [], defaultSampleType = '' }: PushedProfile,
): BatchRows {
  // A mean or a difference is of whole profiles: a file whose samples have times of their own is one, at its beginning.
  const rows = kind === undefined || kind === 'rate' ? taken : atOnce(taken, timeMs);
  const { tables } = rows;
  const { data, starts } = tables.seriesRows();
  const map = new Map<number, number>();
  const profiles = new ProfileList();
  const parts = Math.max(1, Math.ceil(durationMs / BLOCK_LIMITS.profileDurationMs));
  const isMoment = rows.time.every((time) => time === 0);
  const series = rows.series.map((row) => {
    const known = map.get(row) ?? UNMAPPED;
    if (known !== UNMAPPED) return known;
    const own = kind ?? kindOfType(tables.strings.at(data[starts[row]!]!), durationMs);
    const words = data.slice(starts[row], starts[row + 1]);
    words[3] = SERIES_KINDS.indexOf(own);
    const mapped = own === 'rate' ? row : tables.series(words, words.length);
    map.set(row, mapped);
    if (!isMoment) return mapped;
    if (own !== 'rate') profiles.add(mapped, timeMs, 0, 1);
    else if (durationMs > 0) {
      for (let part = 0; part < parts; part++) {
        const from = Math.floor((durationMs * part) / parts);
        profiles.add(mapped, timeMs + from, Math.floor((durationMs * (part + 1)) / parts) - from, 1);
      }
    }
    return mapped;
  });
  const noted = new Set(map.values());
  for (const type of labels[SERVICE_NAME] === undefined ? [] : types) {
    const own = kind ?? kindOfType(type, durationMs);
    if (own === 'rate') continue;
    const source = new BlockBuilder(tables).series(type, 0, labels, own);
    // A series without more labels is its own source.
    if (!noted.has(source)) profiles.add(source, timeMs, 0, 1);
  }
  const range =
    rows.series.length === 0 && profiles.length > 0 ? { timeStartMs: timeMs, timeEndMs: timeMs + 1 } : {};
  const meant = { ...rows, ...range, series, profiles, ...defaultsOf(rows, defaultSampleType) };
  return parts === 1 || !isMoment ? meant : inParts(meant, parts, durationMs, timeMs);
}

function atOnce(rows: BatchRows, timeMs: number): BatchRows {
  if (rows.time.every((time) => time === 0)) return rows;
  return {
    ...rows,
    time: new Uint32Array(rows.time.length),
    timeStartMs: timeMs,
    timeEndMs: timeMs + 1,
  };
}

/** The datasets of the sample type, of whatever services the samples are. */
function defaultsOf(rows: BatchRows, sampleType: string): Pick<BatchRows, 'defaultTypes'> {
  if (sampleType === '') return {};
  const found = seriesOfRows(rows);
  const keys = new Set<string>();
  for (let row = 0; row < found.series.length; row++) {
    const profileType = found.strings.at(found.series.profileType[row]!);
    if (parseProfileType(profileType).sampleType === sampleType)
      keys.add(datasetKey(profileType, serviceOf(found, row)));
  }
  return keys.size === 0 ? {} : { defaultTypes: keys };
}

/** Every point of a rate as `parts` points that add up to it. */
function inParts(rows: BatchRows, parts: number, durationMs: number, timeMs: number): BatchRows {
  const { data, starts } = rows.tables.seriesRows();
  const isRate = (row: number): boolean => data[starts[rows.series[row]!]! + 3] === 0;
  const pointStart = new Uint32Array(rows.series.length + 1);
  const time: number[] = [];
  const value: number[] = [];
  for (let row = 0; row < rows.series.length; row++) {
    for (let at = rows.pointStart[row]!; at < rows.pointStart[row + 1]!; at++) {
      const whole = rows.value[at]!;
      const own = isRate(row) ? parts : 1;
      for (let part = 0, before = 0; part < own; part++) {
        const upTo = part === own - 1 ? whole : Math.floor((whole / own) * (part + 1));
        time.push(Math.floor((durationMs * part) / own));
        value.push(upTo - before);
        before = upTo;
      }
    }
    pointStart[row + 1] = time.length;
  }
  const timeEndMs = timeMs + Math.floor((durationMs * (parts - 1)) / parts) + 1;
  return {
    ...rows,
    pointStart,
    time: Uint32Array.from(time),
    value: Float64Array.from(value),
    timeEndMs: Math.max(rows.timeEndMs, timeEndMs),
  };
}
