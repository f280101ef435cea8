/**
 * A pushed pprof file becomes a batch like an agent's. With a push_id the client can repeat the push
 * safely; without one every push counts, because pushing the same file twice may be meant.
 */
import { randomUUID } from 'node:crypto';
import {
  canBeNegative,
  decodePprof,
  FleetflameError,
  parseProfileType,
  type DecodedProfile,
} from '@fleetflame/profile';
import type { WritePprofRequest } from '@fleetflame/proto/ingest/v1/ingest';
import type { BatchId } from '@fleetflame/store';
import { implausible, negativeValue } from './check-values.ts';
import { checkServiceName, checkTime, type BatchRules } from './check-batch.ts';

/** The slash keeps pushes apart from agents, whose ids have none. */
export function pushBatchId(pushId: string): BatchId {
  return { agentId: `push/${pushId === '' ? randomUUID() : pushId}`, seq: 0n };
}

/** A file without samples is an answer, too: a profiler that found nothing. */
export function decodePush(request: WritePprofRequest, nowMs: number, rules: BatchRules): DecodedProfile {
  const { limits, metrics } = rules;
  let push;
  let negative: string | undefined;
  try {
    push = decodePprof(request.profile, {
      labels: request.labels,
      arrivalMs: nowMs,
      onNegative: (type, value, sample) => {
        if (negative === undefined && !canBeNegative(parseProfileType(type)))
          negative = `sample[${sample}]: ${negativeValue(type, value)}`;
      },
      ...(request.timeMs === undefined ? {} : { timeMs: Number(request.timeMs) }),
      limits: {
        stackDepth: limits.stackDepth,
        series: limits.seriesPerBatch,
        // One more keeps the units of numeric labels.
        labelsPerSample: Math.max(0, limits.labelsPerSeries - Object.keys(request.labels).length - 1),
        labelNameLength: limits.labelNameLength,
        labelValueLength: limits.labelValueLength,
      },
    });
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    throw metrics.refuse('format', error);
  }
  if (negative !== undefined) throw implausible(metrics, { source: 'pprof' }, 'negative', negative);
  for (const { what, count } of push.changes) metrics.changed.inc({ what }, count);
  if (push.block.samples.length === 0) return push;
  checkServiceName(push.block, metrics);
  checkTime(push.block, nowMs, rules, {
    retryWith: 'push it with a time of its own (--time now) or keep data longer (--retention)',
    chosen: true,
  });
  return push;
}
