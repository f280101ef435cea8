/**
 * A pushed file becomes a batch like an agent's. With a push_id the client can repeat the push
 * safely; without one every push counts, because pushing the same file twice may be meant.
 */
import { randomUUID } from 'node:crypto';
import {
  canBeNegative,
  decodeProfile,
  FleetflameError,
  parseProfileType,
  type DecodedFile,
} from '@fleetflame/profile';
import type { WriteProfileRequest } from '@fleetflame/proto/ingest/v1/ingest';
import type { BatchId } from '@fleetflame/store';
import { implausible, negativeValue } from './check-values.ts';
import { checkServiceName, checkTime, type BatchRules } from './check-batch.ts';

/** The slash keeps pushes apart from agents, whose ids have none. */
export function pushBatchId(pushId: string): BatchId {
  return { agentId: `push/${pushId === '' ? randomUUID() : pushId}`, seq: 0n };
}

/** What is pushed, by either RPC. */
export type PushedFile = Pick<
  WriteProfileRequest,
  'profile' | 'labels' | 'timeMs' | 'format' | 'type' | 'unit'
>;

/** A file without samples is an answer, too: a profiler that found nothing. */
export function decodePush(file: PushedFile, nowMs: number, rules: BatchRules): DecodedFile {
  const { limits, metrics } = rules;
  const { labelNameLength, labelValueLength, stackDepth, seriesPerBatch: series } = limits;
  const shared = { labelNameLength, labelValueLength, stackDepth, series };
  let push;
  let negative: string | undefined;
  try {
    push = decodeProfile(file.profile, {
      format: file.format,
      labels: file.labels,
      type: file.type,
      unit: file.unit,
      arrivalMs: nowMs,
      onNegative: (type, value, sample) => {
        if (negative === undefined && !canBeNegative(parseProfileType(type)))
          negative = `sample[${sample}]: ${negativeValue(type, value)}`;
      },
      ...(file.timeMs === undefined ? {} : { timeMs: Number(file.timeMs) }),
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
