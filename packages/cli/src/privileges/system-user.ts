import { spawnSync } from 'node:child_process';
import { FleetflameError } from '@fleetflame/profile';
import { findProgram } from './find-program.ts';

/** Whom the server runs as. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** With the supplementary ones. */
  readonly groups: readonly number[];
  readonly home: string;
}

/** Who owns what nobody else does. */
export const DEFAULT_USER = 'fleetflame';
export const ROOT: SystemUser = { name: 'root', uid: 0, gid: 0, groups: [0], home: '/root' };

/** useradd waits for nobody who has the user database locked at the moment. */
const MAKE_TRIES = 10;
const MAKE_PAUSE_MS = 300;

/** By name or number, from wherever this host has its users; undefined: there is none. */
export function findUser(nameOrUid: string): SystemUser | undefined {
  const { stdout, status } = spawnSync(findProgram('getent', 'libc-bin'), ['passwd', nameOrUid], {
    encoding: 'utf8',
  });
  const [name = '', , uid = '', gid = '', , home = ''] = stdout.split('\n')[0]?.split(':') ?? [];
  if (status !== 0 || name === '' || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined;
  const groups = spawnSync(findProgram('id', 'coreutils'), ['-G', '--', name], { encoding: 'utf8' })
    .stdout.trim()
    .split(/\s+/)
    .filter((group) => /^\d+$/.test(group))
    .map(Number);
  return { name, uid: Number(uid), gid: Number(gid), groups: [Number(gid), ...groups], home };
}

/** A user that owns files and has no name: of a volume from elsewhere, say. */
export function namelessUser(uid: number, gid: number): SystemUser {
  return { name: String(uid), uid, gid, groups: [gid], home: '/' };
}

/** The user of that name, made when it is not there: a system user without login and without a home. */
export function ensureSystemUser(name: string): SystemUser {
  let said = '';
  for (let tries = 0; tries < MAKE_TRIES; tries++) {
    const user = findUser(name);
    if (user !== undefined) return user;
    const group = spawnSync(findProgram('getent', 'libc-bin'), ['group', name]).status === 0;
    const { stderr } = spawnSync(
      findProgram('useradd', 'passwd'),
      [
        '--system',
        '--no-create-home',
        '--home-dir=/nonexistent',
        '--shell=/usr/sbin/nologin',
        ...(group ? [`--gid=${name}`] : ['--user-group']),
        '--comment=Fleetflame',
        name,
      ],
      { encoding: 'utf8' },
    );
    said = stderr.trim();
    if (said !== '') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, MAKE_PAUSE_MS);
  }
  throw new FleetflameError(
    'unsupported',
    `The system user ${name} cannot be made (${said}): make it, name another with --user, or go on as root with --user root.`,
  );
}
