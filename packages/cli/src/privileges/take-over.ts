/**
 * Files that earlier versions wrote as root go to the server's user. What is in such a directory may have been put there
 * by that user, so nothing is believed by its name: directories are entered by descriptor, no link is followed, and a
 * file that has a second name stays root's.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import { AGENT_ENTRIES, AGENT_HOME, DIRECTORY } from './agent-home.ts';
import type { SystemUser } from './system-user.ts';

/** Given to nobody, whatever is in them. */
const SHARED: ReadonlySet<string> = new Set(['/', '/root', '/tmp', '/var/tmp', '/dev/shm', '/run']);

const DATA_CATALOG = 'catalog.db';
const LOCK_FILES = ['lock', 'lock-journal', 'lock.owner'];
/** What the server keeps in a data directory beside its catalog. */
const DATA_ENTRIES: ReadonlySet<string> = new Set([
  'objects',
  'symbol-scratch',
  'compile-cache',
  ...LOCK_FILES,
]);
/** The agent's, which stay root's, and what the root directory of a file system has. */
const NEUTRAL: ReadonlySet<string> = new Set(['lost+found', AGENT_HOME, ...AGENT_ENTRIES]);

const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** A SQLite catalog is a file with more beside it while it is used, and with what was put aside when one was put back. */
function isCatalogFile(name: string, catalog: string): boolean {
  return name === catalog || name.startsWith(`${catalog}-`) || name.startsWith(`${catalog}.`);
}

/** Whether the server keeps such an entry in a data directory. */
export function isServersEntry(name: string): boolean {
  return DATA_ENTRIES.has(name) || isCatalogFile(name, DATA_CATALOG);
}

/**
 * Gives root's part of a data directory, and the directory itself, to the user; how many files that were. `catalog`: the
 * file, when it is elsewhere.
 */
export function takeOverData(directory: string, catalog: string | undefined, user: SystemUser): number {
  const isInside = catalog?.startsWith(`${directory}/`) === true;
  // It may be a disk of its own, mounted here.
  const place = isInside ? catalog?.slice(directory.length + 1).split('/')[0] : undefined;
  return takeOver(directory, isServersEntry, user, place);
}

/** As takeOverData, for the directory of a SQLite file elsewhere. */
export function takeOverCatalog(directory: string, name: string, user: SystemUser): number {
  return takeOver(directory, (entry) => isCatalogFile(entry, name) || LOCK_FILES.includes(entry), user);
}

/**
 * So that the next start as another user takes over again what root writes now: what it looks at, which is the entries of
 * the directory, becomes root's.
 */
export function markAsRoots(directory: string): void {
  const fd = openSync(directory, DIRECTORY);
  try {
    for (const name of readdirSync(pathOf(fd)).filter(isServersEntry)) {
      const found = statOf(join(pathOf(fd), name));
      if (found === undefined || found.uid === 0 || (found.isFile() && found.nlink !== 1)) continue;
      const entry = openEntry(join(pathOf(fd), name), found);
      if (entry === undefined) continue;
      fchownSync(entry, 0, 0);
      closeSync(entry);
    }
  } finally {
    closeSync(fd);
  }
}

/** After a command of root's that wrote into somebody's data directory. */
export function handBack(dataDir: string | undefined): void {
  if (dataDir === undefined || process.getuid?.() !== 0) return;
  // With objects and catalog elsewhere there may be no directory.
  const found = statOf(dataDir);
  if (found !== undefined && found.uid !== 0) markAsRoots(dataDir);
}

function takeOver(
  directory: string,
  isKnown: (name: string) => boolean,
  user: SystemUser,
  place?: string,
): number {
  const fd = openSync(directory, DIRECTORY);
  try {
    const own = fstatSync(fd);
    const names = readdirSync(pathOf(fd));
    // Whoever writes /var/lib in place of /var/lib/fleetflame does not mean to give it away.
    const strange = names.some(isKnown)
      ? undefined
      : names.find(
          (name) =>
            !NEUTRAL.has(name) && name !== place && statOf(join(pathOf(fd), name))?.isDirectory() === true,
        );
    const isShared = SHARED.has(directory);
    if (own.uid === 0 && (strange !== undefined || isShared)) {
      throw new FleetflameError(
        'invalid_input',
        `${directory} belongs to root and ${isShared ? 'is shared with others' : `holds the directory "${strange}", which is not Fleetflame's`}: it is not given to ${user.name}, as whom the server runs. ` +
          'Name an empty or a new directory, give this one away yourself (chown), or go on as root with --user root.',
        { field: 'data' },
      );
    }
    let taken = 0;
    for (const name of names) {
      if (!isKnown(name)) continue;
      const path = join(pathOf(fd), name);
      if (statOf(path)?.uid === 0) taken += give(path, user);
    }
    // Last: a start that was cut off begins again.
    if (own.uid === 0) fchownSync(fd, user.uid, user.gid);
    return taken;
  } finally {
    closeSync(fd);
  }
}

/** Root's files at and below a path; a directory after what is in it. */
function give(path: string, user: SystemUser): number {
  const found = statOf(path);
  const fd = found === undefined ? undefined : openEntry(path, found);
  if (fd === undefined) return 0;
  try {
    const opened = fstatSync(fd);
    let given = 0;
    if (opened.isDirectory()) {
      for (const name of readdirSync(pathOf(fd))) given += give(join(pathOf(fd), name), user);
    } else if (!opened.isFile() || opened.nlink !== 1) {
      return 0;
    }
    if (opened.uid !== 0) return given;
    fchownSync(fd, user.uid, user.gid);
    return given + 1;
  } finally {
    closeSync(fd);
  }
}

/** A plain file or a directory; nothing else is ever opened. */
function openEntry(path: string, found: Stats): number | undefined {
  if (!found.isDirectory() && !found.isFile()) return undefined;
  try {
    return openSync(path, found.isDirectory() ? DIRECTORY : FILE);
  } catch {
    // It is another one by now.
    return undefined;
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** The very directory that is open, whatever its name leads to by now. */
function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
