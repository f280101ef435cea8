import { FleetflameError, type ErrorCode } from '@fleetflame/profile';
import { isClusterRole } from '../commands/cluster-roles.ts';

/** EX_CONFIG of sysexits.h: whoever restarts a service need not try again (RestartPreventExitStatus=78). */
const PERMANENT = 78;
/** EX_UNAVAILABLE: a backup of PostgreSQL has to be restored first, by its own tools. */
export const BACKUP_NEEDED = 69;

/** What stays as it is until a person does something: a setting, a store that is not this one, a damaged catalog. */
const LASTING: ReadonlySet<ErrorCode> = new Set(['invalid_input', 'unsupported', 'corrupt_data']);

/** How the process ends after `error`: 78 where a role can never start like this, else 1. */
export function exitCode(error: unknown, verb: string | undefined): number {
  const isRole = verb === 'up' || verb === 'up-server' || verb === 'agent' || isClusterRole(verb);
  return isRole && error instanceof FleetflameError && LASTING.has(error.code) ? PERMANENT : 1;
}
