/**
 * A pushed file becomes a batch like an agent's. With a push_id the client can repeat the push
 * safely; without one every push counts, because pushing the same file twice may be meant.
 */
import { randomUUID } from 'node:crypto';
import {
  canBeNegative,
  decodeProfileRows,
  FleetflameError,
  parseProfileType,
  seriesOfRows,
  withMeaning,
  type BatchRows,
  type DecodedFileRows,
  type InternedTables,
} from '@fleetflame/profile';
import type { BatchId } from '@fleetflame/store';
import { implausible, negativeValue } from './check-values.ts';
import { checkServiceName, checkTime, type BatchRules } from './check-batch.ts';
import type { BatchInput } from './worker/messages.ts';

/** The slash keeps pushes apart from agents, whose ids have none. */
export function pushBatchId(pushId: string): BatchId {
  return { agentId: `push/${pushId === '' ? randomUUID() : pushId}`, seq: 0n };
}

/** A file without samples is an answer, too: a profiler that found nothing. */
export function decodePush(
  file: Extract<BatchInput, { kind: 'pprof' }>,
  tables: InternedTables,
  rules: BatchRules,
  heavy: boolean,
): DecodedFileRows {
  const { limits, metrics } = rules;
  const { labelNameLength, labelValueLength, stackDepth, seriesPerBatch: series } = limits;
  const { nowMs, timeMs } = file;
  const light = heavy ? {} : { inflatedBytes: limits.heavyInflatedBytes, stacks: limits.heavyStacks };
  const shared = { labelNameLength, labelValueLength, stackDepth, series, ...light };
  let push;
  let negative: string | undefined;
  try {
    push = decodeProfileRows(file.bytes, tables, {
      format: file.format,
      labels: file.labels,
      type: file.type,
      unit: file.unit,
      arrivalMs: nowMs,
      onNegative: (type, value, sample) => {
        if (negative === undefined && !canBeNegative(parseProfileType(type)))
          negative = `sample[${sample}]: ${negativeValue(type, value)}`;
      },
      timeMs,
      limits: shared,
      pprofLimits: {
        ...shared,
        // One more keeps the units of numeric labels.
        labelsPerSample: Math.max(0, limits.labelsPerSeries - Object.keys(file.labels).length - 1),
      },
    });
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    throw metrics.refuse('format', error);
  }
  if (negative !== undefined) throw implausible(metrics, 'negative', negative);
  const { durationMs, totals, defaultSampleType, isTimed = false } = push;
  const atMs = beginOf(push, nowMs);
  push = { ...push, timeMs: atMs, rows: movedTo(push.rows, push.timeMs, atMs) };
  const { labels, seriesKind: kind } = file;
  push = {
    ...push,
    rows: withMeaning(push.rows, {
      timeMs: atMs,
      durationMs: isTimed ? 0 : durationMs,
      kind,
      labels,
      types: totals.keys(),
      defaultSampleType,
    }),
  };
  if (push.rows.series.length === 0 && push.rows.profiles.length === 0) return push;
  if (push.rows.series.length > 0) checkServiceName(seriesOfRows(push.rows), metrics);
  checkTime(push.rows, nowMs, rules, {
    retryWith: 'push it with a time of its own (--time now) or keep data longer (--retention)',
    chosen: true,
  });
  return push;
}

/** A profile cannot have measured what is to come: one that is pushed as of now ended now, and began before. */
function beginOf({ timeMs, durationMs }: DecodedFileRows, nowMs: number): number {
  return timeMs <= nowMs && timeMs + durationMs > nowMs
    ? Math.max(0, Math.floor(nowMs - durationMs))
    : timeMs;
}

/** The rows of a profile that began at another time. */
function movedTo(rows: BatchRows, fromMs: number, toMs: number): BatchRows {
  if (fromMs === toMs || rows.series.length === 0) return rows;
  const shift = toMs - fromMs;
  return { ...rows, timeStartMs: rows.timeStartMs + shift, timeEndMs: rows.timeEndMs + shift };
}
