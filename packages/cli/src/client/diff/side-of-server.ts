/**
 * A scope of a server as one side. It is asked by host first, which gives exact sums for each host and so the error that
 * differences between hosts make; where that is too much for one answer, or hosts are not known any more (rollups keep
 * none), without them.
 */
import { Code, ConnectError } from '@connectrpc/connect';
import {
  decodeFlameTable,
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

/** Throws ConnectError: no answer, or a question that the server refuses. */
export async function sideOfServer(source: string, scope: Scope, clients: Clients): Promise<DiffSide> {
  const byHost = await unlessTooLarge(ask(clients, scope, [HOST], MAX_NODES));
  const why = whyNot(byHost);
  if (byHost !== undefined && why === '') return sideOf(source, byHost, true, '');
  const plain =
    (await unlessTooLarge(ask(clients, scope, [], MAX_NODES))) ??
    // A server that is set to answer less: as much as it gives unasked.
    (await ask(clients, scope, [], 0));
  // Not better without hosts: then it is not for their sake that something is missing.
  if (byHost?.prunedNodes === 0n && !isWhole(coverageOf(plain.coverage)))
    return sideOf(source, byHost, true, '');
  return sideOf(source, plain, false, why);
}

async function ask(
  { query }: Clients,
  scope: Scope,
  groupBy: readonly string[],
  maxNodes: number,
): Promise<FlameGraphResponse> {
  return await query.flameGraph({ scope, groupBy: [...groupBy], maxNodes });
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
  if (byHost.prunedNodes > 0n) return `by host it has more than ${MAX_NODES} nodes`;
  return isWhole(coverageOf(byHost.coverage)) ? '' : 'hosts are not known for all of the range';
}

function sideOf(source: string, answer: FlameGraphResponse, grouped: boolean, why: string): DiffSide {
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
    hosts: allKnown ? hosts.length : undefined,
    unnamed: unnamedSelf(tree),
    stopped: stoppedValue(tree),
    pruned: Number(answer.prunedValue),
    coverage: coverageOf(coverage),
  };
  return { source, profile: { tree, byHost: allKnown }, facts, coverage, notes };
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
