/**
 * A pushed pprof file becomes a batch like an agent's. With a push_id the client can repeat the push
 * safely; without one every push counts, because pushing the same file twice may be meant.
 */
import { randomUUID } from 'node:crypto';
import { decodePprof, FleetflameError, type Block } from '@fleetflame/profile';
import type { WritePprofRequest } from '@fleetflame/proto/ingest/v1/ingest';
import type { BatchId } from '@fleetflame/store';
import { checkServiceName, checkTime, type BatchRules } from './check-batch.ts';

export interface Push {
  readonly block: Block;
  readonly totals: ReadonlyMap<string, number>;
  readonly timeMs: number;
}

/** The slash keeps pushes apart from agents, whose ids have none. */
export function pushBatchId(pushId: string): BatchId {
  return { agentId: `push/${pushId === '' ? randomUUID() : pushId}`, seq: 0n };
}

export function decodePush(request: WritePprofRequest, nowMs: number, rules: BatchRules): Push {
  let push;
  try {
    push = decodePprof(request.profile, {
      labels: request.labels,
      ...(request.timeMs === undefined ? {} : { timeMs: Number(request.timeMs) }),
    });
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    throw rules.metrics.refuse('format', error);
  }
  checkServiceName(push.block, rules.metrics);
  checkTime(push.block, nowMs, rules, {
    retryWith: 'push it with a time of its own (--time now) or keep data longer (--retention)',
    chosen: true,
  });
  return push;
}
