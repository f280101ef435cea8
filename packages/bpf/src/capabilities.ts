import { accessSync, constants, readFileSync, readlinkSync } from 'node:fs';
import { arch, release } from 'node:os';

import { loadAddon } from './addon.ts';
import {
  AGENT_CAPABILITIES,
  AGENT_CAPABILITY_NAMES,
  capabilitySet,
  hasBit,
  type AgentCapabilityName,
  type Severity,
} from './agent-capabilities.ts';
import type { NativeProbe } from './addon.ts';
import { SamplerError } from './errors.ts';

/** One thing that sampling needs or profits from, and how this machine has it. */
export interface Capability {
  readonly name: string;
  /** missing: no sampling without it. degraded: sampling works, with a loss. */
  readonly status: 'ok' | 'missing' | 'degraded';
  /** What was found. */
  readonly detail: string;
  /** What is lost; "" when ok. */
  readonly cost: string;
}

/** capability.h: what is root's and covers capabilities of the agent. */
const CAP_DAC_OVERRIDE = 1;
const CAP_SYS_ADMIN = 21;
/** Capabilities that a wider one covers, with its name. */
const COVERED_BY: Readonly<Partial<Record<AgentCapabilityName, readonly [string, number]>>> = {
  CAP_BPF: ['CAP_SYS_ADMIN', CAP_SYS_ADMIN],
  CAP_PERFMON: ['CAP_SYS_ADMIN', CAP_SYS_ADMIN],
  CAP_CHECKPOINT_RESTORE: ['CAP_SYS_ADMIN', CAP_SYS_ADMIN],
  CAP_SYSLOG: ['CAP_SYS_ADMIN', CAP_SYS_ADMIN],
  CAP_DAC_READ_SEARCH: ['CAP_DAC_OVERRIDE', CAP_DAC_OVERRIDE],
};

/** Oldest kernel with everything but bpf_loop: bpf_task_pt_regs and perf links came with 5.15. */
const FULL_KERNEL = [5, 15] as const;

/** Looks at this machine; takes some milliseconds and changes nothing. */
export function probeCapabilities(): Capability[] {
  return [...probeKernel(), probePidNamespace(), ...probePrivileges(), ...probeNative()];
}

function report(name: string, good: boolean, otherwise: Severity, detail: string, cost: string): Capability {
  return { name, status: good ? 'ok' : otherwise, detail, cost: good ? '' : cost };
}

function probeKernel(): Capability[] {
  const version = release();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const full = major > FULL_KERNEL[0] || (major === FULL_KERNEL[0] && minor >= FULL_KERNEL[1]);
  const btf = readable('/sys/kernel/btf/vmlinux');
  const symbols = kernelSymbols();
  return [
    report('kernel', full, 'missing', `Linux ${version}`, 'no sampling: Linux 5.15 or newer is needed'),
    report('architecture', arch() === 'x64', 'missing', arch(), 'no sampling: only x64 is supported so far'),
    report(
      'kernel BTF',
      btf,
      'missing',
      btf ? '/sys/kernel/btf/vmlinux' : '/sys/kernel/btf/vmlinux cannot be read',
      'no sampling: the kernel has to be built with CONFIG_DEBUG_INFO_BTF',
    ),
    report('kernel symbols', symbols.good, 'degraded', symbols.detail, 'kernel frames have no names'),
  ];
}

/** Inode of the host's PID namespace, the same on every Linux. */
const HOST_PID_NAMESPACE = 0xeffffffc;

/** Processes are known by the ids of /proc, so it has to show the namespace that this process is in. */
function probePidNamespace(): Capability {
  const isHost = link('/proc/self/ns/pid') === `pid:[${HOST_PID_NAMESPACE}]`;
  const self = link('/proc/self');
  if (self !== String(process.pid)) {
    return report(
      'PID namespace',
      false,
      'missing',
      `this is process ${process.pid}, and /proc/self is ${self === '' ? 'nothing' : self}`,
      'no sampling: mount the namespace\'s own with "mount -t proc proc /proc", or run in the host\'s (docker --pid=host, hostPID: true)',
    );
  }
  return report(
    'PID namespace',
    isHost,
    'degraded',
    isHost ? "the host's" : 'nested: this process does not see all of the host',
    "processes outside this PID namespace are not sampled, only counted; to sample all, run in the host's (docker --pid=host, hostPID: true)",
  );
}

function kernelSymbols(): { good: boolean; detail: string } {
  const lines = read('/proc/kallsyms').split('\n', 100);
  if (lines.length < 2) return { good: false, detail: '/proc/kallsyms cannot be read' };
  // Without the right to see them all addresses are 0.
  const good = lines.some((line) => /^0*[1-9a-f]/.test(line));
  return {
    good,
    detail: good
      ? '/proc/kallsyms'
      : 'addresses in /proc/kallsyms are hidden: grant CAP_SYSLOG or set kernel.kptr_restrict=0',
  };
}

function probePrivileges(): Capability[] {
  const effective = capabilitySet('CapEff');
  const has = (name: AgentCapabilityName): boolean => hasBit(effective, AGENT_CAPABILITIES[name].bit);
  const paranoid = read('/proc/sys/kernel/perf_event_paranoid').trim();
  return [
    ...AGENT_CAPABILITY_NAMES.map((name) => {
      const { without, cost } = AGENT_CAPABILITIES[name];
      const [coverName, coverBit] = COVERED_BY[name] ?? ['', -1];
      const covered = coverBit >= 0 && hasBit(effective, coverBit);
      const detail = has(name) ? 'held' : covered ? `not held, ${coverName} covers it` : 'not held';
      return report(name, has(name) || covered, without, detail, cost);
    }),
    report(
      'perf_event_paranoid',
      has('CAP_PERFMON') || hasBit(effective, CAP_SYS_ADMIN) || Number(paranoid) < 0,
      'missing',
      `kernel.perf_event_paranoid=${paranoid || 'unknown'}`,
      'no sampling: grant CAP_PERFMON or set it to -1',
    ),
  ];
}

function probeNative(): Capability[] {
  let probe: NativeProbe;
  try {
    probe = loadAddon().probe();
  } catch (error) {
    const { message } = SamplerError.from(error);
    return [report('native addon', false, 'missing', message, 'no sampling')];
  }
  const event = (name: string, error: string, otherwise: Severity, cost: string): Capability =>
    report(name, error === '', otherwise, error === '' ? 'opens' : `perf_event_open: ${error}`, cost);
  const feature = (name: string, there: boolean, otherwise: Severity, cost: string): Capability =>
    report(name, there, otherwise, there ? 'supported' : 'not supported or not permitted', cost);
  return [
    report('native addon', true, 'missing', 'loads', 'no sampling'),
    report('libbpf', true, 'missing', probe.libbpf, 'no sampling'),
    feature('BPF perf_event programs', probe.perfEventProgram, 'missing', 'no sampling'),
    feature('BPF ring buffer', probe.ringBuffer, 'missing', 'no sampling'),
    feature(
      'bpf_loop',
      probe.bpfLoop,
      'degraded',
      'stacks are walked by an unrolled loop, which loads more slowly',
    ),
    event('cpu-clock event', probe.clockEvent, 'missing', 'no sampling'),
    event('process events', probe.processEvents, 'missing', 'no sampling: processes cannot be followed'),
    event(
      'build ids in process events',
      probe.processEventsWithBuildIds,
      'degraded',
      'build ids are read from the files, which fails for processes that end at once',
    ),
  ];
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** "" when it cannot be read. */
function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** "" when it cannot be read. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
