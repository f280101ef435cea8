/** What a decoded batch must satisfy before it may become part of a segment. */
import { FleetflameError, SERVICE_NAME, type Block, type SeriesWithStrings } from '@fleetflame/profile';
import type { IngestLimits, RefusalReason } from './limits.ts';
import type { RefusalCounter } from './worker/refusals.ts';

export interface BatchRules {
  readonly limits: IngestLimits;
  readonly retentionMs: number;
  readonly metrics: RefusalCounter;
}

const ID = /^[A-Za-z0-9_-]{1,64}$/;

export function checkId(id: string, field: string, metrics: RefusalCounter): void {
  if (ID.test(id)) return;
  const text = JSON.stringify(id.length > 80 ? `${id.slice(0, 80)}...` : id);
  throw metrics.refuse(
    'agent_id',
    new FleetflameError(
      'invalid_input',
      `${field} is ${text}: it must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -.`,
      { field },
    ),
  );
}

export function checkSize(
  sizeBytes: number,
  limit: 'batchBytes' | 'pprofBytes',
  field: string,
  { limits, metrics }: BatchRules,
): void {
  if (sizeBytes <= limits[limit]) return;
  throw over(
    metrics,
    limit,
    field,
    `${field} has ${sizeBytes} bytes, the limit is ${limits[limit]}: send less at once.`,
  );
}

export function checkLabels(block: SeriesWithStrings, { limits, metrics }: BatchRules): void {
  const { series, strings } = block;
  if (series.length > limits.seriesPerBatch) {
    const found = `The batch has ${series.length} series, the limit is ${limits.seriesPerBatch}`;
    throw over(metrics, 'seriesPerBatch', 'series', `${found}: drop a label with many values.`);
  }
  // A label's name and value are in many series; every string is looked at once.
  const names = new Set<number>();
  const values = new Set<number>();
  for (let row = 0; row < series.length; row++) {
    const from = series.labelStart[row]!;
    const to = series.labelStart[row + 1]!;
    if (to - from > limits.labelsPerSeries) {
      const found = `Series ${row} has ${to - from} labels, the limit is ${limits.labelsPerSeries}`;
      throw over(metrics, 'labelsPerSeries', `series[${row}].labels`, `${found}: drop some.`);
    }
    for (let at = from; at < to; at++) {
      names.add(series.labelName[at]!);
      values.add(series.labelValue[at]!);
    }
  }
  for (const index of names) checkName(strings.at(index), limits, metrics);
  for (const index of values) {
    const value = strings.at(index);
    if (value.length <= limits.labelValueLength) continue;
    const start = JSON.stringify(value.slice(0, 60));
    const found = `A label's value has ${value.length} characters, the limit is ${limits.labelValueLength}`;
    throw over(metrics, 'labelValueLength', 'series.labels', `${found}. It starts with ${start}.`);
  }
}

/** Rows and depths. */
export function checkShape({ samples, stacks }: Block, { limits, metrics }: BatchRules): void {
  if (samples.length > limits.rowsPerBatch) {
    const found = `The batch has ${samples.length} sample rows, the limit is ${limits.rowsPerBatch}`;
    throw over(metrics, 'rowsPerBatch', 'samples', `${found}: send it in parts.`);
  }
  const depth = new Uint16Array(stacks.length);
  let deepest = 0;
  // Parents come first; blocks have no more than 16,384 levels.
  for (let row = 1; row < stacks.length; row++) {
    depth[row] = depth[stacks.parent[row]!]! + 1;
    if (depth[row]! > depth[deepest]!) deepest = row;
  }
  if (depth[deepest]! > limits.stackDepth) {
    const found = `A stack has ${depth[deepest]} frames, the limit is ${limits.stackDepth}`;
    throw over(metrics, 'stackDepth', `stacks[${deepest}]`, `${found}: cut it where it was taken.`);
  }
}

function checkName(name: string, limits: IngestLimits, metrics: RefusalCounter): void {
  if (name === '') {
    throw metrics.refuse(
      'labels',
      new FleetflameError('invalid_input', 'A label has an empty name.', { field: 'series.labels' }),
    );
  }
  if (name.length > limits.labelNameLength) {
    const start = JSON.stringify(name.slice(0, 60));
    const found = `A label's name has ${name.length} characters, the limit is ${limits.labelNameLength}`;
    throw over(metrics, 'labelNameLength', 'series.labels', `${found}. It starts with ${start}.`);
  }
}

/** Pushed files belong to a service; agents may see processes whose service is not known. */
export function checkServiceName(block: SeriesWithStrings, metrics: RefusalCounter): void {
  const { series, strings } = block;
  for (let row = 0; row < series.length; row++) {
    let found = false;
    for (let at = series.labelStart[row]!; at < series.labelStart[row + 1]!; at++) {
      if (strings.at(series.labelName[at]!) === SERVICE_NAME)
        found ||= strings.at(series.labelValue[at]!) !== '';
    }
    if (found) continue;
    throw metrics.refuse(
      'service_name',
      new FleetflameError(
        'invalid_input',
        `The profile has samples without ${SERVICE_NAME}: give it as a label of the request ` +
          `(--label ${SERVICE_NAME}=NAME), or set it on every sample of the profile.`,
        { field: `labels.${SERVICE_NAME}` },
      ),
    );
  }
}

type TimeRange = Pick<Block, 'timeStartMs' | 'timeEndMs'>;

export interface TimeRule {
  /** What the caller can do about a time that is too old. */
  readonly retryWith: string;
  /** Who chose the time: who sends, then it is wrong for good; or clocks, of which this server's may be the wrong one. */
  readonly chosen: boolean;
}

export const AGENT_TIME: TimeRule = { retryWith: 'compare the clocks of both hosts (NTP)', chosen: false };

export function checkTime(block: TimeRange, nowMs: number, rules: BatchRules, rule: TimeRule): void {
  const { limits, metrics, retentionMs } = rules;
  const spanMs = block.timeEndMs - block.timeStartMs;
  if (spanMs > limits.batchSpanMs) {
    const found = `The batch spans ${seconds(spanMs)}, the limit is ${seconds(limits.batchSpanMs)}`;
    throw over(metrics, 'batchSpanMs', 'block.time_end_ms', `${found}: send it in parts.`);
  }
  const ahead = block.timeEndMs - nowMs;
  if (ahead > limits.futureMs) {
    // Waiting helps, whoever's clock is wrong.
    throw otherTime(
      metrics,
      'futureMs',
      'not_now',
      `The batch ends at ${time(block.timeEndMs)}, ${seconds(ahead)} after the server's clock; at most ` +
        `${seconds(limits.futureMs)} are taken: compare the clocks of both hosts (NTP), and send it again` +
        `${rule.chosen ? `, or ${rule.retryWith}` : ''}.`,
    );
  }
  const age = nowMs - block.timeEndMs;
  if (age > retentionMs) {
    throw otherTime(
      metrics,
      'retention',
      rule.chosen ? 'invalid_input' : 'not_now',
      `The newest sample is of ${time(block.timeEndMs)}, ${seconds(age)} ago, and data is kept for ` +
        `${seconds(retentionMs)}: ${rule.retryWith}.`,
    );
  }
}

/** Only for batches with an agent's number: whether an older one was committed before is not known any more (I2). */
export function checkAge(block: TimeRange, nowMs: number, { limits, metrics }: BatchRules): void {
  const age = nowMs - block.timeEndMs;
  if (age <= limits.batchAgeMs) return;
  throw otherTime(
    metrics,
    'batchAgeMs',
    'not_now',
    `The newest sample is of ${time(block.timeEndMs)}, ${seconds(age)} ago. An agent's batch is taken for ` +
      `${seconds(limits.batchAgeMs)}, since for not much longer it is known which batches are stored already: ` +
      `compare the clocks of both hosts (NTP), and let the agent's spool keep none for longer (--spool-age).`,
  );
}

function otherTime(
  metrics: RefusalCounter,
  reason: RefusalReason,
  code: 'invalid_input' | 'not_now',
  message: string,
): FleetflameError {
  return metrics.refuse(reason, new FleetflameError(code, message, { field: 'block.time_end_ms' }));
}

function over(
  metrics: RefusalCounter,
  reason: RefusalReason,
  field: string,
  message: string,
): FleetflameError {
  return metrics.refuse(reason, new FleetflameError('limit_exceeded', message, { field }));
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

function time(ms: number): string {
  // Dates beyond year 275,760 have no text.
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
