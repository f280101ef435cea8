/** Commands that start a process with fewer rights, by setpriv of util-linux. */
import { AGENT_CAPABILITIES, AGENT_CAPABILITY_NAMES, capabilitySet, hasBit } from '@fleetflame/bpf';
import { findProgram } from './find-program.ts';
import type { SystemUser } from './system-user.ts';

/** linux/capability.h */
const CAP_SETPCAP = 8;
/** What it takes to give files away, to start processes of others, and to end them. */
const PARENT_NEEDS: Readonly<Record<string, number>> = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP,
};
/** None of it comes back: not by a file with capabilities, not by one that is root's. */
const NONE_AGAIN = ['--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all'];

/** What root lacks to be the parent of others; empty: nothing. */
export function parentLacks(): readonly string[] {
  const effective = capabilitySet('CapEff');
  return Object.entries(PARENT_NEEDS).flatMap(([name, bit]) => (hasBit(effective, bit) ? [] : [name]));
}

/** Runs what follows it with the capabilities of the agent alone, of those that are there. */
export function withAgentCapabilities(): readonly string[] {
  const names = AGENT_CAPABILITY_NAMES.map((name) => `+${name.slice('CAP_'.length).toLowerCase()}`);
  return [setpriv(), ...NONE_AGAIN, `--bounding-set=-all,${names.join(',')}`, '--'];
}

/** Whether this process is root and may do more than an agent needs. */
export function hasMoreThanAgent(): boolean {
  const agents = AGENT_CAPABILITY_NAMES.reduce(
    (set, name) => set | (1n << BigInt(AGENT_CAPABILITIES[name].bit)),
    0n,
  );
  const has = capabilitySet('CapPrm') | capabilitySet('CapBnd') | capabilitySet('CapInh');
  return process.getuid?.() === 0 && (has & ~agents) !== 0n;
}

/** Whether capabilities can be given up for good. */
export function mayDropBounds(): boolean {
  return hasBit(capabilitySet('CapEff'), CAP_SETPCAP);
}

/** Runs what follows it as a user without any capability, for as long as this process lives. */
export function asUser({ uid, gid, name }: SystemUser): readonly string[] {
  const death = '--pdeathsig=KILL';
  if (uid === 0) return [setpriv(), '--no-new-privs', death, '--'];
  const groups = name === String(uid) ? '--clear-groups' : '--init-groups';
  return [
    setpriv(),
    `--reuid=${uid}`,
    `--regid=${gid}`,
    groups,
    ...NONE_AGAIN,
    '--bounding-set=-all',
    death,
    '--',
  ];
}

function setpriv(): string {
  return findProgram('setpriv', 'util-linux');
}
