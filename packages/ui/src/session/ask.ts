import type { MessageInitShape } from '@bufbuild/protobuf';
import { seriesStepMs } from '@fleetflame/profile';
import type { ScopeSchema } from '@fleetflame/proto/query/v1/query';
import type { QueryClient } from '../api/query-client.ts';
import type { TimeWindow } from '../time/range.ts';
import { functionId } from '../url/function-id.ts';
import type {
  CountsAnswer,
  FunctionAnswer,
  PresenceAnswer,
  SeriesAnswer,
  TopAnswer,
  TypesAnswer,
} from './answers.ts';
import type { SelectedFunction } from './selected-function.ts';

/** The questions of the page, one function each. */
export interface Question {
  readonly client: QueryClient;
  readonly signal: AbortSignal;
  readonly window: TimeWindow;
  readonly selector: string;
  readonly profileType: string;
}

/** Functions in the table. More are named in its last line. */
const MAX_FUNCTIONS = 5000;
/** Lines and builds of the selected function. */
const MAX_LINES = 200;
const CHART_GROUPS = 8;
/** A shorter span would make a rate out of a handful of samples. */
const SHORTEST_SPAN_MS = 10_000;

const MISSING_LABEL = (label: string): string => `(no ${label})`;

export function scopeOf(
  question: Question,
  selector = question.selector,
): MessageInitShape<typeof ScopeSchema> {
  return {
    fromMs: BigInt(question.window.fromMs),
    toMs: BigInt(question.window.toMs),
    selector,
    profileType: question.profileType,
  };
}

export async function askTypes(
  client: QueryClient,
  window: TimeWindow,
  signal: AbortSignal,
): Promise<TypesAnswer> {
  const answer = await client.profileTypes(
    { fromMs: BigInt(window.fromMs), toMs: BigInt(window.toMs) },
    { signal },
  );
  return { window, types: answer.types, newestSampleMs: Number(answer.coverage?.newestSampleMs ?? 0n) };
}

export async function askPresence(question: Question): Promise<PresenceAnswer> {
  const { client, signal, window } = question;
  const stepMs = seriesStepMs(window.toMs - window.fromMs);
  const answer = await client.series(
    { scope: scopeOf(question, ''), stepMs: BigInt(stepMs), groupBy: [], limit: 0 },
    { signal },
  );
  const values = answer.groups[0]?.values ?? [];
  const first = values.findIndex((value) => value !== 0n);
  const newest = Number(answer.coverage?.newestSampleMs ?? 0n);
  let startMs = window.fromMs;
  if (first >= 0) startMs = Math.max(startMs, Number(answer.timesMs[first] ?? 0n));
  // Sample times are whole seconds: the newest one covers its second.
  const endMs = newest >= window.fromMs ? Math.min(window.toMs, newest + 1000) : window.toMs;
  const shortest = Math.min(SHORTEST_SPAN_MS, window.toMs - window.fromMs);
  if (endMs - startMs < shortest) startMs = Math.max(window.fromMs, endMs - shortest);
  return {
    window,
    span: { fromMs: startMs, toMs: Math.max(endMs, startMs + shortest) },
    total: Number(answer.groups.reduce((sum, group) => sum + group.total, 0n)),
  };
}

export async function askTop(question: Question): Promise<TopAnswer> {
  const { client, signal, window } = question;
  const answer = await client.top({ scope: scopeOf(question), limit: MAX_FUNCTIONS }, { signal });
  return {
    window,
    total: Number(answer.total),
    functions: answer.functions.map((f) => ({
      id: functionId(f.name, f.filename, f.binary),
      name: f.name,
      filename: f.filename,
      binary: f.binary,
      kind: f.kind,
      partlyInlined: f.partlyInlined,
      buildId: f.buildId,
      startLine: f.startLine,
      self: Number(f.self),
      total: Number(f.total),
    })),
    omittedFunctions: Number(answer.omittedFunctions),
    omittedSelf: Number(answer.omittedSelf),
  };
}

export async function askFunction(
  question: Question,
  id: string,
  fn: SelectedFunction,
): Promise<FunctionAnswer> {
  const { client, signal, window } = question;
  const answer = await client.functionDetails(
    { scope: scopeOf(question), ...fn, limit: MAX_LINES },
    { signal },
  );
  return {
    window,
    id,
    ...fn,
    self: Number(answer.self),
    total: Number(answer.total),
    inlinedSelf: Number(answer.inlinedSelf),
    lines: answer.lines.map(({ line, self, total }) => ({ line, self: Number(self), total: Number(total) })),
    omittedLines: Number(answer.omittedLines),
    omittedLinesSelf: Number(answer.omittedLinesSelf),
    builds: answer.builds.map(({ file, buildId, self, total }) => ({
      file,
      buildId,
      self: Number(self),
      total: Number(total),
    })),
    omittedBuilds: Number(answer.omittedBuilds),
  };
}

export async function askSeries(question: Question, groupBy: string): Promise<SeriesAnswer> {
  const { client, signal, window } = question;
  const stepMs = seriesStepMs(window.toMs - window.fromMs);
  const answer = await client.series(
    {
      scope: scopeOf(question),
      stepMs: BigInt(stepMs),
      groupBy: groupBy === '' ? [] : [groupBy],
      limit: CHART_GROUPS,
    },
    { signal },
  );
  return {
    window,
    stepMs,
    groupBy,
    times: Float64Array.from(answer.timesMs, Number),
    groups: answer.groups.map((group) => ({
      name: nameOfGroup(group.labels, groupBy),
      values: Float64Array.from(group.values, Number),
      rest: group.rest,
    })),
  };
}

function nameOfGroup(labels: Readonly<Record<string, string>>, groupBy: string): string {
  if (groupBy === '') return 'all';
  const value = labels[groupBy] ?? '';
  return value === '' ? MISSING_LABEL(groupBy) : value;
}

export async function askCounts(question: Question): Promise<CountsAnswer> {
  const { client, signal } = question;
  const count = async (name: string): Promise<number> => {
    const answer = await client.labelValues({ scope: scopeOf(question), name, limit: 1 }, { signal });
    return answer.values.filter(({ value }) => value !== '').length + Number(answer.omitted);
  };
  const [hosts, services] = await Promise.all([count('host_name'), count('service_name')]);
  return { hosts, services };
}

export async function askLabelNames(question: Question): Promise<readonly string[]> {
  const { client, signal } = question;
  const answer = await client.labelNames({ scope: scopeOf(question, '') }, { signal });
  return answer.names;
}
