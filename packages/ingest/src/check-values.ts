/**
 * Whether the values of a batch can be true: one that cannot be would show in every sum that it is part of, and hide
 * what is beside it.
 */
import {
  canBeNegative,
  FleetflameError,
  isCpuTime,
  nanosecondsPerUnit,
  parseProfileType,
  SERIES_KINDS,
  type BatchRows,
  type Block,
} from '@fleetflame/profile';
import type { BatchRules } from './check-batch.ts';
import type { ImplausibleReason, RefusalCounter } from './worker/refusals.ts';

const NS_PER_MS = 1e6;
const CUMULATIVE = SERIES_KINDS.indexOf('cumulative');
/** The interrupts of a window are not quite those of its time, and neither are clocks. */
const SLACK = 2;
/** A sample stands for as long as its period, up to a second, also when it is the only one of its batch. */
const LEAST_MS = 2000;

/** The points of a batch's rows, and of which profile type each row is. */
export interface Values {
  readonly length: number;
  readonly pointStart: Uint32Array;
  readonly value: Float64Array;
  /** A number of it, which `text` spells. */
  profileTypeOf(row: number): number;
  /** Values since the start of a process may be of any time. */
  isCumulative(row: number): boolean;
  text(profileType: number): string;
}

export function valuesOfBlock({ samples, series, strings }: Block): Values {
  const { length, pointStart, value } = samples;
  return {
    length,
    pointStart,
    value,
    profileTypeOf: (row) => series.profileType[samples.series[row]!]!,
    isCumulative: (row) => series.kind[samples.series[row]!] === CUMULATIVE,
    text: (index) => strings.at(index),
  };
}

export function valuesOfRows({ tables, series, pointStart, value }: BatchRows): Values {
  const { data, starts } = tables.seriesRows();
  return {
    length: series.length,
    pointStart,
    value,
    profileTypeOf: (row) => tables.profileTypeOf(series[row]!),
    isCumulative: (row) => data[starts[series[row]!]! + 3] === CUMULATIVE,
    text: (index) => tables.strings.at(index),
  };
}

export interface Covered {
  /** CPUs of the host; 0: not known. */
  readonly cpus: number;
  /** What the values were gathered over; 0: not known. */
  readonly durationMs: number;
}

/** Of an agent's batch: what was sampled in its time. */
export function coveredByBatch(block: Pick<Block, 'timeStartMs' | 'timeEndMs'>, cpus: number): Covered {
  return { cpus, durationMs: Math.max(1, block.timeEndMs - block.timeStartMs) };
}

/** Throws invalid_input: a value below zero, or more CPU time than the CPUs had. */
export function checkValues(values: Values, covered: Covered, { limits, metrics }: BatchRules): void {
  const types = new Map<number, Kind>();
  const typeOf = (row: number): Kind => {
    const index = values.profileTypeOf(row);
    const known = types.get(index) ?? kindOf(values.text(index));
    types.set(index, known);
    return known;
  };
  const known = covered.durationMs > 0;
  const durationMs = known ? Math.max(covered.durationMs, LEAST_MS) : limits.unknownDurationMs;
  const cpus = covered.cpus > 0 ? Math.min(covered.cpus, limits.cpusPerSender) : limits.cpusPerSender;
  const mostNs = cpus * durationMs * NS_PER_MS * SLACK;
  for (let row = 0; row < values.length; row++) {
    const kind = typeOf(row);
    const total = sumOfRow(values, row, kind, metrics);
    if (kind.cpuUnitNs === 0 || values.isCumulative(row)) continue;
    kind.cpuNs += total * kind.cpuUnitNs;
    if (kind.cpuNs > mostNs) {
      const time = known ? `its ${durationMs / 1000} s` : `a profile that does not say what time it covers`;
      throw implausible(
        metrics,
        'cpu_time',
        `${kind.name}: ${Math.round(kind.cpuNs / 1e9)} s of CPU time are more than ${cpus} CPUs have in ${time}, ` +
          `twice over. Is its unit right, or is it a sum since the start of a process (give its duration)?`,
      );
    }
  }
}

/** What is to be known of one profile type. */
interface Kind {
  readonly name: string;
  readonly canBeNegative: boolean;
  /** Nanoseconds of CPU time in one unit; 0: it is no CPU time. */
  readonly cpuUnitNs: number;
  cpuNs: number;
}

function kindOf(name: string): Kind {
  try {
    const type = parseProfileType(name);
    const cpuUnitNs = isCpuTime(type) ? (nanosecondsPerUnit(type) ?? 0) : 0;
    return { name, canBeNegative: canBeNegative(type), cpuUnitNs, cpuNs: 0 };
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    // Blocks of agents may have any name; whoever asks for it is told that it is none.
    return { name, canBeNegative: true, cpuUnitNs: 0, cpuNs: 0 };
  }
}

function sumOfRow({ pointStart, value }: Values, row: number, kind: Kind, metrics: RefusalCounter): number {
  let sum = 0;
  for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
    if (value[at]! < 0 && !kind.canBeNegative) {
      throw implausible(metrics, 'negative', negativeValue(kind.name, value[at]!));
    }
    sum += value[at]!;
  }
  return sum;
}

/** In words, also for what a file says before it is a block. */
export function negativeValue(profileType: string, value: number): string {
  return (
    `${profileType} has the value ${value}, and cannot be less than 0: a difference of two profiles ` +
    `(pprof -diff_base, -base) is no profile; push both, and compare them here.`
  );
}

export function implausible(
  metrics: RefusalCounter,
  reason: ImplausibleReason,
  message: string,
): FleetflameError {
  return metrics.refuse(
    'implausible',
    new FleetflameError('invalid_input', message, { field: 'sample' }),
    reason,
  );
}
