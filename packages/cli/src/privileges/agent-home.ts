import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';

/** In a data directory, what the agent of `up` keeps: its spool and its unwind tables. It stays root's. */
export const AGENT_HOME = 'agent';
/** Earlier versions had them beside what the server keeps. */
export const AGENT_ENTRIES = ['spool', 'unwind-tables'] as const;

/** Of open(2): a directory, and no link in its place. */
export const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * A descriptor of the agent's directory in a data directory; undefined when it is not root's. The agent writes as root,
 * and who owns the directory above could put a link in its place: so it is used by descriptor, not by name.
 */
export function openAgentHome(dataDir: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(join(dataDir, AGENT_HOME), DIRECTORY);
  } catch {
    return undefined;
  }
  if (fstatSync(fd).uid === 0) return fd;
  closeSync(fd);
  return undefined;
}
