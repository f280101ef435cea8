import { findDatasets } from '../block/datasets.ts';
import { MAPPING_KINDS, SERIES_KINDS, type Block } from '../block/block.ts';

/**
 * A block as sorted lines of text that do not depend on row numbers: two blocks hold the same
 * profiles exactly when their descriptions are equal.
 *
 *   time 1700000000000 1700000001001
 *   loss ring_full 3
 *   default memory:inuse_space:bytes:space:bytes "api"
 *   process_cpu:cpu:... 10000000 {"service_name":"api"} main;handle = 42: 1700000000000 30, 1700000001000 12
 *   profiles goroutine:... 1 {"service_name":"api"} gauge: 1700000000000+0 x2
 */
export function describeBlock(block: Block): string[] {
  const { samples } = block;
  const frames = Array.from({ length: block.locations.length }, (_, row) => describeLocation(block, row));
  const lines: string[] = [];
  for (let row = 0; row < samples.length; row++) {
    const points: string[] = [];
    for (let point = samples.pointStart[row]!; point < samples.pointStart[row + 1]!; point++) {
      points.push(`${block.timeStartMs + samples.time[point]!} ${samples.value[point]!}`);
    }
    const series = describeSeries(block, samples.series[row]!);
    const stack = describeStack(block, frames, samples.stack[row]!);
    lines.push(`${series} ${stack} = ${samples.total[row]!}: ${points.join(', ')}`);
  }
  for (let row = 0; row < block.series.length; row++) {
    const profiles = describeProfiles(block, row);
    if (profiles !== '') lines.push(`profiles ${describeSeries(block, row)}: ${profiles}`);
  }
  const losses = [...block.losses].map(([cause, count]) => `loss ${cause} ${count}`);
  const defaults = findDatasets(block)
    .filter(({ isDefault }) => isDefault)
    .map(({ profileType, serviceName }) => `default ${profileType} ${JSON.stringify(serviceName)}`);
  return [`time ${block.timeStartMs} ${block.timeEndMs}`, ...losses.sort(), ...defaults, ...lines.sort()];
}

function describeSeries({ series, strings }: Block, row: number): string {
  const labels: Record<string, string> = {};
  for (let label = series.labelStart[row]!; label < series.labelStart[row + 1]!; label++) {
    labels[strings.at(series.labelName[label]!)] = strings.at(series.labelValue[label]!);
  }
  const kind = SERIES_KINDS[series.kind[row]!] ?? 'invalid';
  const suffix = kind === 'rate' ? '' : ` ${kind}`;
  return `${strings.at(series.profileType[row]!)} ${series.period[row]!} ${JSON.stringify(labels)}${suffix}`;
}

function describeProfiles({ series, timeStartMs }: Block, row: number): string {
  const profiles: string[] = [];
  for (let at = series.profileStart[row]!; at < series.profileStart[row + 1]!; at++) {
    const [time, duration, count] = [
      series.profileTime[at]!,
      series.profileDuration[at]!,
      series.profileCount[at]!,
    ];
    profiles.push(`${timeStartMs + time}+${duration} x${count}`);
  }
  return profiles.join(', ');
}

function describeStack({ stacks }: Block, frames: readonly string[], row: number): string {
  const path: string[] = [];
  for (let at = row; at !== 0; at = stacks.parent[at]!) path.push(frames[stacks.location[at]!]!);
  return path.reverse().join(';');
}

/** name, or name<inlined-into name, or with all that is known: file[build id,kind]+0xaddr(...). */
function describeLocation({ locations, mappings, strings, functions }: Block, row: number): string {
  const lines: string[] = [];
  for (let line = locations.lineStart[row]!; line < locations.lineStart[row + 1]!; line++) {
    const fn = locations.lineFunction[line]!;
    const name = strings.at(functions.name[fn]!);
    const number = locations.lineNumber[line]!;
    const column = locations.lineColumn[line]!;
    const more = [
      strings.at(functions.systemName[fn]!),
      strings.at(functions.filename[fn]!),
      functions.startLine[fn]!,
      number,
      ...(column === 0 ? [] : [column]),
    ];
    lines.push(
      more.join() === ',,0,0' && /^[\w .:/-]+$/u.test(name) ? name : JSON.stringify([name, ...more]),
    );
  }
  const mapping = locations.mapping[row]!;
  const address = locations.address[row]!;
  if (mapping === 0 && address === 0n && lines.length > 0) return lines.join('<');
  const file = JSON.stringify(strings.at(mappings.file[mapping]!));
  const buildId = strings.at(mappings.buildId[mapping]!);
  const kind = MAPPING_KINDS[mappings.kind[mapping]!] ?? 'invalid';
  return `${file}[${buildId},${kind}]+0x${address.toString(16)}(${lines.join('<')})`;
}
