/**
 * The server's user may not be able to get to the program or to the data: both may lie below a directory that root keeps
 * to itself. Then it gets mounts of its own, in which such a directory is replaced by an empty one that holds only the way
 * to what it needs. All paths stay as they are, and nothing else changes for anybody.
 *
 *   /root (0700)              tmpfs (0755), read by nobody else
 *   ├─ .ssh                   ─▶
 *   ├─ fleetflame/            ├─ fleetflame/   bound
 *   └─ data/                  └─ data/         bound
 */
import { readdirSync, statSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import type { SystemUser } from './system-user.ts';

export interface Mounts {
  /** Directories that are closed to the user. */
  readonly covered: readonly string[];
  /** What stays visible below them. */
  readonly bound: readonly string[];
}

/** What a user needs of the file system. */
export interface Needs {
  /** The checkout: read. If it is closed itself, what is in it may still be open. */
  readonly code: string;
  /** Files to be read or run. */
  readonly files: readonly string[];
  /** Directories that are the user's. */
  readonly directories: readonly string[];
}

/** Paths are real ones. Throws unsupported where no mount helps. */
export function planReach({ code, files, directories }: Needs, user: SystemUser): Mounts {
  const covered = new Set<string>();
  const bound = new Set<string>();
  for (const path of [...directories, code, ...files]) {
    const isDirectory = statSync(path).isDirectory();
    const closed = ways(isDirectory ? path : dirname(path)).find((directory) => !mayEnter(directory, user));
    if (closed === undefined) continue;
    if (closed === '/') throw unreachable('/', user);
    covered.add(closed);
    if (path === code && !mayEnter(code, user)) {
      const inside = readdirSync(code, { withFileTypes: true });
      for (const { name } of inside.filter((one) => one.isDirectory() || one.isFile()))
        bound.add(join(code, name));
    } else {
      bound.add(path);
    }
  }
  const outermost = [...bound].filter((path) => !ways(dirname(path)).some((above) => bound.has(above)));
  for (const path of [code, ...files, ...directories]) {
    const start = outermost.find((top) => path === top || path.startsWith(`${top}/`));
    if (start === undefined) continue;
    const inside = ways(dirname(path)).filter((one) => one === start || one.startsWith(`${start}/`));
    const shut = inside.find((directory) => !mayEnter(directory, user));
    if (shut !== undefined) throw unreachable(shut, user);
  }
  return { covered: [...covered], bound: outermost };
}

/** Runs what follows it with the mounts of its own; `stage` is an empty directory for the meantime. */
export function inMounts({ covered, bound }: Mounts, stage: string, unshare: string): readonly string[] {
  if (covered.length === 0) return [];
  const at = (index: number): string => quote(join(stage, String(index)));
  const script = [
    'set -e',
    'umask 022',
    `mount -t tmpfs -o mode=0755,size=1m fleetflame ${quote(stage)}`,
    ...bound.flatMap((path, i) => [makeLike(path, at(i)), `mount --bind ${quote(path)} ${at(i)}`]),
    ...covered.map((path) => `mount -t tmpfs -o mode=0755,size=1m fleetflame ${quote(path)}`),
    ...bound.flatMap((path, i) => [
      `mkdir -p ${quote(dirname(path))}`,
      makeLike(path, quote(path)),
      `mount --move ${at(i)} ${quote(path)}`,
    ]),
    `umount ${quote(stage)}`,
    ...covered.map((path) => `mount -o remount,ro ${quote(path)}`),
    'exec "$@"',
  ].join('\n');
  return [unshare, '--mount', '--propagation=private', '--', '/bin/sh', '-c', script, 'fleetflame'];
}

function makeLike(like: string, path: string): string {
  return statSync(like).isDirectory() ? `mkdir -p ${path}` : `touch ${path}`;
}

/** From / to the path itself. */
function ways(path: string): readonly string[] {
  return path === '/' ? ['/'] : [...ways(dirname(path)), path];
}

function mayEnter(directory: string, user: SystemUser): boolean {
  return isAllowed(statSync(directory), user, 0o1);
}

/** By owner, group and others, as the kernel does for a user without capabilities. */
function isAllowed({ mode, uid, gid }: Stats, user: SystemUser, bit: number): boolean {
  const shift = uid === user.uid ? 6 : user.groups.includes(gid) ? 3 : 0;
  return ((mode >> shift) & bit) !== 0;
}

function unreachable(path: string, { name }: SystemUser): FleetflameError {
  return new FleetflameError(
    'unsupported',
    `${name}, as whom the server runs, may not enter ${path}: open it (chmod go+rx ${path}; a whole checkout: chmod -R go+rX), or go on as root with --user root.`,
  );
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
