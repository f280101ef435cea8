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
  const { durationMs, timeMs: atMs, totals } = push;
  const { labels, seriesKind: kind } = file;
  push = {
    ...push,
    rows: withMeaning(push.rows, { timeMs: atMs, durationMs, kind, labels, types: totals.keys() }),
  };
  if (push.rows.series.length === 0 && push.rows.profiles.length === 0) return push;
  if (push.rows.series.length > 0) checkServiceName(seriesOfRows(push.rows), metrics);
  checkTime(push.rows, nowMs, rules, {
    retryWith: 'push it with a time of its own (--time now) or keep data longer (--retention)',
    chosen: true,
  });
  return push;
}
