import { readFileSync } from 'node:fs';

/** missing: no sampling without it. degraded: sampling works, with a loss. */
export type Severity = 'missing' | 'degraded';

interface AgentCapability {
  /** Number in linux/capability.h. */
  readonly bit: number;
  readonly without: Severity;
  /** What its lack costs. */
  readonly cost: string;
}

/** What the agent needs of root, and all that it has of it: each was taken away alone to see what its lack costs. */
export const AGENT_CAPABILITIES = {
  CAP_BPF: { bit: 39, without: 'missing', cost: 'no sampling: BPF programs cannot be loaded' },
  CAP_PERFMON: {
    bit: 38,
    without: 'missing',
    cost: 'no sampling: events of other processes cannot be opened',
  },
  CAP_SYS_PTRACE: {
    bit: 19,
    without: 'degraded',
    cost: "files and environment of other users' processes cannot be reached: no service names, and no symbols of what lies in their containers",
  },
  CAP_DAC_READ_SEARCH: {
    bit: 2,
    without: 'degraded',
    cost: "environment and mapped files of other users' processes stay closed, even with CAP_SYS_PTRACE and CAP_CHECKPOINT_RESTORE: no service names, late unwind tables, none of deleted binaries",
  },
  CAP_CHECKPOINT_RESTORE: {
    bit: 40,
    without: 'degraded',
    cost: 'binaries that were replaced or deleted while they run have neither unwind table nor symbols',
  },
  CAP_SYSLOG: { bit: 34, without: 'degraded', cost: 'kernel frames have no names' },
} as const satisfies Readonly<Record<string, AgentCapability>>;

export type AgentCapabilityName = keyof typeof AGENT_CAPABILITIES;

/** In the order of the table. */
export const AGENT_CAPABILITY_NAMES: readonly AgentCapabilityName[] =
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the object above
  Object.keys(AGENT_CAPABILITIES) as AgentCapabilityName[];

/** A set of capabilities of this process as bits, such as CapEff; 0 where /proc says nothing. */
export function capabilitySet(set: 'CapEff' | 'CapPrm' | 'CapInh' | 'CapBnd'): bigint {
  let status = '';
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    // Without /proc nothing is known, and nothing is sampled either.
  }
  return BigInt(`0x${new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
}

/** Of the agent's capabilities, those that this process has. */
export function heldAgentCapabilities(): AgentCapabilityName[] {
  const effective = capabilitySet('CapEff');
  return AGENT_CAPABILITY_NAMES.filter((name) => hasBit(effective, AGENT_CAPABILITIES[name].bit));
}

export function hasBit(set: bigint, bit: number): boolean {
  return ((set >> BigInt(bit)) & 1n) === 1n;
}
