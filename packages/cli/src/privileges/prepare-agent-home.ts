import { closeSync, fchmodSync, lstatSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import { AGENT_ENTRIES, AGENT_HOME, DIRECTORY, openAgentHome } from './agent-home.ts';

/**
 * Makes the agent's directory in a data directory, closed to everybody but root, and moves into it what earlier versions
 * had beside it. Throws invalid_input when something that is not root's is in its place.
 */
export function prepareAgentHome(dataDir: string): void {
  const above = openSync(dataDir, DIRECTORY);
  const path = `/proc/self/fd/${above}`;
  try {
    // The directory above may be somebody's: an entry that is there already is looked at, not believed.
    if (lstatSync(join(path, AGENT_HOME), { throwIfNoEntry: false }) === undefined)
      mkdirSync(join(path, AGENT_HOME), { mode: 0o700 });
    const home = openAgentHome(path);
    if (home === undefined) {
      throw new FleetflameError(
        'invalid_input',
        `${join(dataDir, AGENT_HOME)} is not a directory of root's, and the agent keeps there what nobody else may change: move it away.`,
        { field: 'data' },
      );
    }
    fchmodSync(home, 0o700);
    for (const name of AGENT_ENTRIES) {
      const old = lstatSync(join(path, name), { throwIfNoEntry: false });
      const there = lstatSync(`/proc/self/fd/${home}/${name}`, { throwIfNoEntry: false });
      if (old?.isDirectory() === true && old.uid === 0 && there === undefined)
        renameSync(join(path, name), `/proc/self/fd/${home}/${name}`);
    }
    closeSync(home);
  } finally {
    closeSync(above);
  }
}
