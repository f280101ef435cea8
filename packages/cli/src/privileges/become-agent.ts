import { mkdirSync, statSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { hasMoreThanAgent, mayDropBounds, withAgentCapabilities } from './confine.ts';

/**
 * An agent that root started with more than it needs goes on as a new program, under the same pid, with its six
 * capabilities. `directories` are where it writes: made now, since it may not later below a directory of somebody else's.
 * Returns where there is nothing to give up, or no way to.
 */
export function becomeAgent(directories: readonly string[], log: Logger): void {
  if (!hasMoreThanAgent()) return;
  let confined: readonly string[];
  try {
    confined = mayDropBounds() ? withAgentCapabilities() : [];
  } catch {
    confined = [];
  }
  const [program] = confined;
  if (program === undefined || process.execve === undefined) {
    log.warn(
      "the agent keeps all of root's capabilities: giving them up needs setpriv (util-linux) and CAP_SETPCAP",
    );
    return;
  }
  for (const directory of directories) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { uid } = statSync(directory);
    if (uid === 0) continue;
    throw new FleetflameError(
      'invalid_input',
      `${directory} belongs to uid ${uid}: an agent that root starts gives up the right to write what is another's. ` +
        'Give it to root (chown -R root), or name another with --spool.',
      { field: 'agent.spool' },
    );
  }
  flushCompileCache();
  process.execve(
    program,
    [...confined, process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    process.env,
  );
}
