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
  type Block,
} from '@fleetflame/profile';
import type { BatchRules } from './check-batch.ts';
import type { ImplausibleReason, IngestMetrics } from './ingest-metrics.ts';

const NS_PER_MS = 1e6;
/** The interrupts of a window are not quite those of its time, and neither are clocks. */
const SLACK = 2;
/** A sample stands for as long as its period, up to a second, also when it is the only one of its batch. */
const LEAST_MS = 2000;

export interface Covered {
  readonly source: 'agent' | 'pprof';
  /** CPUs of the host; 0: not known. */
  readonly cpus: number;
  /** What the values were gathered over; 0: not known. */
  readonly durationMs: number;
}

/** Of an agent's batch: what was sampled in its time. */
export function coveredByBatch(block: Block, cpus: number): Covered {
  return { source: 'agent', cpus, durationMs: Math.max(1, block.timeEndMs - block.timeStartMs) };
}

/** Throws invalid_input: a value below zero, or more CPU time than the CPUs had. */
export function checkValues(block: Block, covered: Covered, { limits, metrics }: BatchRules): void {
  const { samples, series, strings } = block;
  const types = new Map<number, Kind>();
  const typeOf = (row: number): Kind => {
    const index = series.profileType[samples.series[row]!]!;
    const known = types.get(index) ?? kindOf(strings.at(index));
    types.set(index, known);
    return known;
  };
  const known = covered.durationMs > 0;
  const durationMs = known ? Math.max(covered.durationMs, LEAST_MS) : limits.unknownDurationMs;
  const cpus = covered.cpus > 0 ? Math.min(covered.cpus, limits.cpusPerSender) : limits.cpusPerSender;
  const mostNs = cpus * durationMs * NS_PER_MS * SLACK;
  for (let row = 0; row < samples.length; row++) {
    const kind = typeOf(row);
    if (!kind.canBeNegative) checkRow(block, row, kind, covered, metrics);
    if (kind.cpuUnitNs === 0) continue;
    kind.cpuNs += samples.total[row]! * kind.cpuUnitNs;
    if (kind.cpuNs > mostNs) {
      const time = known ? `its ${durationMs / 1000} s` : `a profile that does not say what time it covers`;
      throw implausible(
        metrics,
        covered,
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

function checkRow(block: Block, row: number, kind: Kind, covered: Covered, metrics: IngestMetrics): void {
  const { pointStart, value } = block.samples;
  for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
    if (value[at]! >= 0) continue;
    throw implausible(metrics, covered, 'negative', negativeValue(kind.name, value[at]!));
  }
}

/** In words, also for what a file says before it is a block. */
export function negativeValue(profileType: string, value: number): string {
  return (
    `${profileType} has the value ${value}, and cannot be less than 0: a difference of two profiles ` +
    `(pprof -diff_base, -base) is no profile; push both, and compare them here.`
  );
}

export function implausible(
  metrics: IngestMetrics,
  { source }: Pick<Covered, 'source'>,
  reason: ImplausibleReason,
  message: string,
): FleetflameError {
  metrics.implausible.inc({ source, reason });
  return metrics.refuse('implausible', new FleetflameError('invalid_input', message, { field: 'sample' }));
}
