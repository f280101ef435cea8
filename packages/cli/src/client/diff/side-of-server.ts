/**
 * A scope of a server as one side. It is asked by host first, which gives exact sums for each host and so the error that
 * differences between hosts make; where that is too much for one answer, by buckets of hosts; where that is too much, too,
 * or hosts are not known any more (rollups keep none), without them.
 */
import { Code, ConnectError } from '@connectrpc/connect';
import {
  decodeFlameTable,
  HOST_BUCKETS,
  isWhole,
  missingLabelName,
  stoppedValue,
  unnamedSelf,
  type FlameTable,
  type SideFacts,
} from '@fleetflame/profile';
import type { Coverage, FlameGraphResponse, Scope } from '@fleetflame/proto/query/v1/query';
import type { Clients } from '../connection.ts';
import { isSampleCount, type DiffSide } from './side.ts';
import { treeOfTable } from './tree-of-table.ts';

const HOST = 'host_name';
/** What a server answers at most. */
const MAX_NODES = 1_000_000;

/** Hosts that a server lists at most. */
const MAX_HOSTS = 100_000;

/** Throws ConnectError: no answer, or a question that the server refuses. */
export async function sideOfServer(
  source: string,
  scope: Scope,
  clients: Clients,
  maxNodes = MAX_NODES,
): Promise<DiffSide> {
  const byHost = await unlessTooLarge(ask(clients, scope, { by: [HOST], maxNodes }));
  if (byHost !== undefined && whyNot(byHost) === '') return sideOf(source, byHost, { isGrouped: true });
  const isTooLarge = byHost === undefined || byHost.prunedNodes > 0n;
  const byBucket = isTooLarge
    ? await unlessTooLarge(ask(clients, scope, { by: [HOST], buckets: HOST_BUCKETS, maxNodes }))
    : undefined;
  if (byBucket !== undefined && whyNot(byBucket) === '') {
    const hosts = await hostsOf(clients, scope, byBucket);
    if (hosts !== undefined) return sideOf(source, byBucket, { isGrouped: true, hosts });
  }
  const plain =
    (await unlessTooLarge(ask(clients, scope, { by: [], maxNodes }))) ??
    // A server that is set to answer less: as much as it gives unasked.
    (await ask(clients, scope, { by: [], maxNodes: 0 }));
  // Not better without hosts: then it is not for their sake that something is missing.
  if (byHost?.prunedNodes === 0n && !isWhole(coverageOf(plain.coverage)))
    return sideOf(source, byHost, { isGrouped: true });
  return sideOf(source, plain, { isGrouped: false, why: whyNot(byBucket ?? byHost) });
}

async function ask(
  { query }: Clients,
  scope: Scope,
  { by, buckets = 0, maxNodes }: { by: readonly string[]; buckets?: number; maxNodes: number },
): Promise<FlameGraphResponse> {
  return await query.flameGraph({ scope, groupBy: [...by], groupBuckets: buckets, maxNodes });
}

/** Value of each host behind an answer by buckets; undefined: there are more than a server lists. */
async function hostsOf(
  { query }: Clients,
  scope: Scope,
  { coverage }: FlameGraphResponse,
): Promise<ReadonlyMap<string, number> | undefined> {
  const profileType = coverage?.profileType ?? '';
  const answer = await query.labelValues({ scope: { ...scope, profileType }, name: HOST, limit: MAX_HOSTS });
  if (answer.omitted > 0n) return undefined;
  return new Map(answer.values.map(({ value, total }) => [value, Number(total)]));
}

/** Undefined where it is more than the server's limits let it answer. */
async function unlessTooLarge(answer: Promise<FlameGraphResponse>): Promise<FlameGraphResponse | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.OutOfRange) return undefined;
    throw error;
  }
}

/** Why an answer by host does not do; "": it does. */
function whyNot(byHost: FlameGraphResponse | undefined): string {
  if (byHost === undefined) return 'by host it is too much for one answer';
  if (byHost.prunedNodes > 0n) return 'by host it has more nodes than an answer holds';
  return isWhole(coverageOf(byHost.coverage)) ? '' : 'hosts are not known for all of the range';
}

interface Grouping {
  readonly isGrouped: boolean;
  /** Of an answer by buckets. */
  readonly hosts?: ReadonlyMap<string, number>;
  /** Why it is not by host. */
  readonly why?: string;
}

function sideOf(
  source: string,
  answer: FlameGraphResponse,
  { isGrouped: grouped, hosts: values, why = '' }: Grouping,
): DiffSide {
  const { coverage } = answer;
  const table = decodeFlameTable(answer.table);
  const hosts = grouped ? topNames(table) : [];
  const allKnown = grouped && !hosts.includes(missingLabelName(HOST));
  const tree = treeOfTable(table, grouped && !allKnown);
  // Where nothing is, the type that was asked for comes back as it was written.
  const asked = coverage?.profileType ?? '';
  const profileType = Number(answer.total) === 0 && asked.split(':').length !== 5 ? '' : asked;
  const notes: string[] = [];
  if (why !== '') notes.push(`${source}: ${why}, so only the error of sampling is known`);
  else if (!allKnown && hosts.length > 1)
    notes.push(`${source}: some samples have no host_name, so only the error of sampling is known`);
  if (answer.prunedNodes > 0n) {
    notes.push(
      `${source}: ${answer.prunedNodes} of its nodes were pruned, with ${answer.prunedValue} of ${answer.total} ${coverage?.unit ?? ''}; functions in them are too low`,
    );
  }
  const facts: SideFacts = {
    total: Number(answer.total),
    profileType,
    sampleValue: Number(answer.period) || (profileType !== '' && isSampleCount(profileType) ? 1 : 0),
    spanMs: Number(coverage?.averageOverMs ?? 0n),
    hosts: allKnown ? (values?.size ?? hosts.length) : undefined,
    unnamed: unnamedSelf(tree),
    stopped: stoppedValue(tree),
    pruned: Number(answer.prunedValue),
    coverage: coverageOf(coverage),
  };
  return { source, profile: { tree, byHost: allKnown, hosts: values }, facts, coverage, notes };
}

/** Names of the rows below the root. */
function topNames({ length, parent, frame, frames }: FlameTable): string[] {
  const names: string[] = [];
  for (let row = 1; row < length; row++) {
    if (parent[row] === 0) names.push(frames.strings[frames.name[frame[row]!]!] ?? '');
  }
  return names;
}

function coverageOf(coverage: Coverage | undefined): NonNullable<SideFacts['coverage']> {
  return {
    expected: coverage?.blocksExpected ?? 1,
    answered: coverage?.blocksAnswered ?? 0,
    gaps: coverage?.missing.filter(({ blockId }) => blockId === '').length ?? 0,
  };
}
