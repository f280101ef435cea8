import { loadAddon } from './addon.ts';

/**
 * - absent: it is not there, or its process is not
 * - forbidden: this process may not
 * - link: a symbolic link on the way where none is followed, a link or `..` that leads out, or a name that is no directory
 * - not_regular: a device, a pipe, a socket, a directory, a link that is not to be followed, or a file of /proc and its like; it was not opened
 * - hung: its file system does not answer, or did not lately
 * - failed: anything else
 */
export type ForeignProblem = (typeof PROBLEMS)[number];

const PROBLEMS = ['absent', 'forbidden', 'link', 'not_regular', 'hung', 'failed'] as const;

/** An open file in the helper; `close` gives it back. */
export interface ForeignFile {
  readonly handle: number;
  readonly size: number;
  readonly inode: number;
  /** Its owner. */
  readonly uid: number;
}

/** Where a path begins. */
export type ForeignBase =
  /** The root directory of the process: absolute links and `..` end inside of it. */
  | 'root'
  /** Its working directory: what leads out of it is refused. */
  | 'cwd'
  /** The agent's own root directory. */
  | 'host';

/** As the addon has it: problems are texts, a list begins with "/". */
export interface NativeForeignFiles {
  openMapped(pid: number, range: string): ForeignFile | ForeignProblem;
  openPath(pid: number, base: number, path: string, flags: number): ForeignFile | ForeignProblem;
  list(pid: number, base: number, path: string, flags: number): string;
  read(handle: number, out: Uint8Array, offset: number): number | ForeignProblem;
  close(handle: number): void;
  readProc(pid: number, name: string, maxBytes: number): Buffer | ForeignProblem;
  has(handle: number): boolean;
  number(): number;
  dispose(): void;
}

export interface ForeignFileStats {
  /** Requests that were not answered in time. */
  readonly hangs: number;
  /** Requests that were not made, because who would have to answer does not. */
  readonly refused: number;
  /** Helpers that wait for a file system now, and helpers that were started. */
  readonly hungHelpers: number;
  readonly startedHelpers: number;
  /** Devices, pipes, sockets, directories and files of /proc that stood where a plain file was looked for. */
  readonly notRegular: number;
}

// src/foreign/protocol.h
const BASES: Readonly<Record<ForeignBase, number>> = { root: 0, cwd: 1, host: 2 };
const NO_LINKS = 1;

/**
 * Files whose file system or path belongs to somebody else, opened and read by a process that may hang. A call takes
 * some ten microseconds and a second at most; then a new process takes over, and who did not answer is left alone
 * until the old one comes back. Each object has a process of its own, started at the first call; objects of all
 * threads know of each other's silent file systems.
 */
export class ForeignFiles {
  readonly #native: NativeForeignFiles;

  /** Either where /proc is, or the `number` of an object of another thread, whose process and open files are used. */
  constructor(procRootOrNumber: string | number = '/proc') {
    this.#native = new (loadAddon().ForeignFiles)(procRootOrNumber);
  }

  /** For the constructor, in another thread. */
  get number(): number {
    return this.#native.number();
  }

  /** The very file of a mapping, also when it was deleted or replaced. */
  openMapped(pid: number, start: bigint, end: bigint): ForeignFile | ForeignProblem {
    return this.#native.openMapped(pid, `${start.toString(16)}-${end.toString(16)}`);
  }

  /** `links` false: no name of the path may be a symbolic link. */
  openPath(
    pid: number,
    base: ForeignBase,
    path: string,
    options: { readonly links: boolean },
  ): ForeignFile | ForeignProblem {
    return this.#native.openPath(pid, BASES[base], path, options.links ? 0 : NO_LINKS);
  }

  /** Names in a directory, without links on the way to it. */
  list(pid: number, base: ForeignBase, path: string): readonly string[] | ForeignProblem {
    const names = this.#native.list(pid, BASES[base], path, NO_LINKS);
    if (!names.startsWith('/')) return PROBLEMS.find((problem) => problem === names) ?? 'failed';
    return names
      .slice(1)
      .split('\0')
      .filter((name) => name !== '' && name !== '.' && name !== '..');
  }

  /** Fills `out` from an offset of the file; fewer bytes at its end. */
  read(file: ForeignFile, out: Uint8Array, offset: number): number | ForeignProblem {
    return this.#native.read(file.handle, out, offset);
  }

  /** False when the process that opened it was given up: then it is to be opened again. */
  has(file: ForeignFile): boolean {
    return this.#native.has(file.handle);
  }

  close(file: ForeignFile): void {
    this.#native.close(file.handle);
  }

  /** The first maxBytes of /proc/PID/NAME, for files that make the kernel look into the process. */
  readProc(pid: number, name: string, maxBytes: number): Buffer | ForeignProblem {
    return this.#native.readProc(pid, name, maxBytes);
  }

  /** Ends the process; the next call starts another. */
  dispose(): void {
    this.#native.dispose();
  }
}

/** Of all threads of this process. */
export function foreignFileStats(): ForeignFileStats {
  return loadAddon().foreignFileStats();
}
