import type { AgentStats } from '@fleetflame/agent';
import { AGENT_CAPABILITIES, AGENT_CAPABILITY_NAMES, type Capability } from '@fleetflame/bpf';
import { formatBytes } from './format.ts';
import { messageOf } from './message.ts';

/** Longest wait for /status. */
const TIMEOUT_MS = 5000;
/** Binaries named in a line; --json has all that the agent reports. */
const MAX_NAMED = 3;

/** What a server said of the agent beside it. */
export interface RunningAgent {
  readonly state: string;
  readonly reason?: string;
  readonly pid?: number;
  readonly stats?: AgentStats;
}

/** Asks a server's /status; the sentence says why there is nothing to show. */
export async function askForAgent(server: string): Promise<RunningAgent | string> {
  try {
    const response = await fetch(new URL('/status', server), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return `${server}/status answers ${response.status}`;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the page of our own server
    const { agent } = (await response.json()) as { readonly agent?: RunningAgent };
    return agent ?? `${server} has no agent`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `no server answers at ${server} (${messageOf(cause)})`;
  }
}

/** A running agent in the form of the other checks: what it uses, and what found no room. */
export function agentChecks(agent: RunningAgent): Capability[] {
  const { stats } = agent;
  if (stats === undefined) {
    const detail = agent.reason === undefined ? agent.state : `${agent.state}: ${agent.reason}`;
    return [{ name: 'agent', status: 'degraded', detail, cost: 'this host is not sampled' }];
  }
  const pid = agent.pid === undefined ? '' : `, process ${agent.pid}`;
  return [
    ok('agent', `${agent.state}${pid}, ${stats.frequencyHz} Hz on ${stats.cpus} CPUs`),
    capabilities(stats),
    samples(stats),
    ok('agent memory', memory(stats)),
    tables(stats),
    tracking(stats),
  ];
}

/** Bytes by part, largest first: what makes up `kernelBytes`, and buffers. */
export function memoryParts({ memory: { sampler } }: AgentStats): readonly (readonly [string, number])[] {
  return Object.entries(sampler).sort(([, a], [, b]) => b - a);
}

function ok(name: string, detail: string): Capability {
  return { name, status: 'ok', detail, cost: '' };
}

/** Each that it lacks, with what that costs; servers of before did not say. */
function capabilities({ capabilities: held = [] }: Partial<AgentStats>): Capability {
  const lacking = AGENT_CAPABILITY_NAMES.filter((name) => !held.includes(name));
  const detail = held.length === 0 ? 'none, or it does not say' : held.join(', ');
  if (lacking.length === 0) return ok('agent capabilities', detail);
  return {
    name: 'agent capabilities',
    status: 'degraded',
    detail,
    cost: lacking.map((name) => `without ${name}: ${AGENT_CAPABILITIES[name].cost}`).join('; '),
  };
}

function memory({ memory: { residentBytes, kernelBytes } }: AgentStats): string {
  return `${formatBytes(residentBytes)} resident + ${formatBytes(kernelBytes)} in the kernel`;
}

function samples({ samples: taken, losses, sampler: { outside } }: AgentStats): Capability {
  const lost = ['ring_full', 'table_full', 'spool_full', 'spool_failed', 'refused']
    .map((cause) => [cause, losses[cause] ?? 0] as const)
    .filter(([, count]) => count > 0);
  const beyond = outside === 0 ? '' : `, ${outside} interrupts outside its PID namespace`;
  const detail = `${taken} taken${beyond}`;
  if (lost.length === 0) return ok('agent samples', detail);
  return {
    name: 'agent samples',
    status: 'degraded',
    detail,
    cost: `lost: ${lost.map(([cause, count]) => `${count} ${cause}`).join(', ')}`,
  };
}

function tables({ unwindTables: t }: AgentStats): Capability {
  const waiting = t.waiting === 0 ? '' : `, ${t.waiting} being built`;
  const detail = `${t.tables} tables, ${t.rows} rows, ${formatBytes(t.bytes)} of ${formatBytes(t.budgetBytes)}${waiting}; ${formatBytes(t.cacheBytes)} on disk`;
  if (t.missing === 0) return ok('unwind tables', detail);
  const named = t.refusedNow
    .slice(0, MAX_NAMED)
    .map(({ path, rows, bytes, reason }) =>
      bytes === 0 ? `${path} (${reason})` : `${path} (${rows} rows, ${formatBytes(bytes)})`,
    );
  const more = t.missing > named.length ? ` and ${t.missing - named.length} more` : '';
  return {
    name: 'unwind tables',
    status: 'degraded',
    detail,
    cost: `walked by frame pointers for lack of room: ${named.join(', ')}${more}; raise --unwind-table-budget`,
  };
}

function tracking({ sampler }: AgentStats): Capability {
  const lost = [
    ['process records', sampler.lostProcessRecords],
    ['process events', sampler.lostProcessEvents],
    ['processes', sampler.refusedProcesses],
    ['mappings', sampler.refusedMappings],
    ['binaries', sampler.refusedBinaries],
  ] as const;
  const found = lost.filter(([, count]) => count > 0);
  const detail =
    found.length === 0 ? 'nothing lost' : found.map(([what, n]) => `${n} ${what} lost`).join(', ');
  if (found.length === 0) return ok('process tracking', detail);
  return {
    name: 'process tracking',
    status: 'degraded',
    detail,
    cost: 'frames of some processes may have no binary until /proc is read again',
  };
}
