import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';

/** What an independent reader (pprof-format) finds in a pprof file, in plain values. */
export interface ReadProfile {
  readonly sampleTypes: readonly string[];
  readonly periodType: string;
  readonly period: bigint;
  readonly timeNanos: bigint;
  readonly durationNanos: bigint;
  /** Sums by sample type. */
  readonly totals: readonly bigint[];
  /** By rendered labels (name=value, or name=number unit), the sums by sample type. */
  readonly totalsByLabels: Readonly<Record<string, readonly bigint[]>>;
  /** Function names, leaf first, inlined calls as frames; address where there are none; then values. */
  readonly stacks: readonly string[];
  readonly mappings: readonly string[];
}

export function readProfile(file: Uint8Array): ReadProfile {
  const profile = Profile.decode(file[0] === 0x1f ? gunzipSync(file) : file);
  const text = (index: number | bigint): string =>
    profile.stringTable.strings[Number(index)] ?? 'no such string';
  const typeText = (it: { type: number | bigint; unit: number | bigint } | undefined): string =>
    it === undefined ? '' : `${text(it.type)}/${text(it.unit)}`;
  const functions = new Map(profile.function.map((it) => [BigInt(it.id), text(it.name)]));
  const locations = new Map(
    profile.location.map((it) => [
      BigInt(it.id),
      it.line.length === 0
        ? `0x${BigInt(it.address).toString(16)}`
        : it.line.map((line) => functions.get(BigInt(line.functionId))).join(';'),
    ]),
  );
  const totals = profile.sampleType.map(() => 0n);
  const byLabels = new Map<string, bigint[]>();
  const stacks: string[] = [];
  for (const sample of profile.sample) {
    const labels = sample.label.map((it) =>
      it.str === 0 || it.str === 0n
        ? `${text(it.key)}=${signed(it.num)} ${text(it.numUnit)}`.trimEnd()
        : `${text(it.key)}=${text(it.str)}`,
    );
    const key = labels.sort().join(',');
    const sums = byLabels.get(key) ?? profile.sampleType.map(() => 0n);
    byLabels.set(key, sums);
    for (const [type, value] of sample.value.entries()) {
      totals[type] = (totals[type] ?? 0n) + signed(value);
      sums[type] = (sums[type] ?? 0n) + signed(value);
    }
    const frames = sample.locationId.map((id) => locations.get(BigInt(id)) ?? 'no such location');
    stacks.push(`${key} ${frames.join(';')} ${sample.value.map((value) => signed(value)).join(' ')}`);
  }
  return {
    sampleTypes: profile.sampleType.map((it) => typeText(it)),
    periodType: typeText(profile.periodType),
    period: BigInt(profile.period),
    timeNanos: BigInt(profile.timeNanos),
    durationNanos: BigInt(profile.durationNanos),
    totals,
    totalsByLabels: Object.fromEntries([...byLabels].filter(([, sums]) => sums.some((sum) => sum !== 0n))),
    stacks: stacks.sort(),
    mappings: profile.mapping.map(
      (it) =>
        `${text(it.filename)} ${text(it.buildId)} ${hex(it.memoryStart)}-${hex(it.memoryLimit)}-${hex(it.fileOffset)}` +
        `${it.hasFunctions ? ' functions' : ''}${it.hasInlineFrames ? ' inline' : ''}`,
    ),
  };
}

function hex(value: number | bigint): string {
  return BigInt(value).toString(16);
}

function signed(value: number | bigint): bigint {
  return BigInt.asIntN(64, BigInt(value));
}
