import {
  decodeProfile,
  FlameBuilder,
  FleetflameError,
  IMPORT_CHANGES,
  labelValue,
  parseProfileType,
  parseSelector,
  resolveProfileType,
  scaleValues,
  selectSeries,
  stoppedValue,
  sumStacks,
  typeFactor,
  unitFactor,
  unnamedSelf,
  valueOfSample,
  type SeriesScale,
} from '@fleetflame/profile';
import { readProfileFile } from '../read-profile-file.ts';
import { isSampleCount, type DiffSide } from './side.ts';

const HOST = 'host_name';

/**
 * A profile of any format that `push` takes. Its hosts are known where all of its samples say theirs.
 * Throws FleetflameError: the file cannot be read, or has no such type.
 */
export async function sideOfFile(file: string, type: string): Promise<DiffSide> {
  const bytes = await readProfileFile(file);
  const {
    block: read,
    totals,
    durationMs,
    defaultSampleType,
    changes,
  } = named(file, () => decodeProfile(bytes, { arrivalMs: Date.now() }));
  const present = [...totals].map(([id, total]) => ({
    id,
    total,
    isDefault: defaultSampleType !== '' && parseProfileType(id).sampleType === defaultSampleType,
  }));
  const { id: profileType, ids } = named(file, () => resolveProfileType(type, present));
  const block = scaleValues(read, new Map(ids.map((id) => [id, scaleInto(id, profileType)])));
  const series = selectSeries(block, new Set(ids), parseSelector(''));
  const byHost = series.every((is, row) => is === 0 || labelValue(block, row, HOST) !== '');
  const groupBy = byHost ? [HOST] : [];
  const sums = sumStacks(block, { series }, groupBy);
  const builder = new FlameBuilder({ groupBy });
  builder.addBlock(block, sums);
  const { tree } = builder;
  const hosts = sums.groups.length;
  return {
    source: file,
    profile: { tree, byHost },
    facts: {
      total: sums.total,
      profileType,
      sampleValue: valueOfSample(profileType, sums.period) || (isSampleCount(profileType) ? 1 : 0),
      spanMs: durationMs,
      hosts: byHost ? hosts : undefined,
      unnamed: unnamedSelf(tree),
      stopped: stoppedValue(tree),
      pruned: 0,
      coverage: undefined,
    },
    coverage: undefined,
    notes: changes
      .filter(({ what }) => what !== 'time_missing' && what !== 'no_samples')
      .map(({ what, count, example }) => {
        const first = example === '' ? '' : `; the first: ${example}`;
        return `${file}: ${count} × ${IMPORT_CHANGES[what]}${first}`;
      }),
  };
}

function scaleInto(from: string, into: string): SeriesScale {
  const period = unitFactor(parseProfileType(from).periodUnit, parseProfileType(into).periodUnit);
  return { value: typeFactor(from, into), period: from === into ? 1 : (period ?? 0) };
}

/** What goes wrong says in which of the two files. */
function named<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof FleetflameError)) throw cause;
    throw new FleetflameError(cause.code, `${file}: ${cause.message}`, { cause });
  }
}
