import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PerfMap } from './perf-map.ts';

/** Bytes taken in one refresh: 4 MiB are some 60,000 lines, about 30 ms. The rest is taken at the next. */
export const MAX_REFRESH_BYTES = 4 * 1024 * 1024;
/** Bytes read of one file in all. V8 moves code as it collects garbage, and appends; a file beyond this is left. */
export const MAX_PERF_MAP_BYTES = 256 * 1024 * 1024;

const NO_FOLLOW = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export type PerfMapProblem = 'absent' | 'foreign' | 'too_large';

/**
 * One process's perf map, read from where the last refresh ended.
 *
 * The file is in the process's own /tmp, written by whom the agent does not trust and read by root. So
 * neither /tmp nor the file may be a symbolic link, the file is a regular one, and it belongs to the
 * process's user or to root: a process cannot make the agent read anything that it could not read itself.
 */
export class PerfMapFile {
  #map = new PerfMap();
  problem: PerfMapProblem | undefined;
  readonly #directory: string;
  readonly #name: string;
  readonly #processDirectory: string;
  #offset = 0;
  #inode = 0;

  /** namespacePid is the process's own idea of its pid. */
  constructor(pid: number, namespacePid: number, procRoot = '/proc') {
    this.#processDirectory = join(procRoot, String(pid));
    this.#directory = join(this.#processDirectory, 'root', 'tmp');
    this.#name = `perf-${namespacePid}.map`;
  }

  get map(): PerfMap {
    return this.#map;
  }

  get offset(): number {
    return this.#offset;
  }

  /** Reads what was appended; true when names changed. */
  refresh(buffer: Buffer): boolean {
    if (this.problem === 'too_large' || this.problem === 'foreign') return false;
    const fd = this.#open();
    if (fd < 0) return false;
    try {
      return this.#read(fd, buffer);
    } catch {
      this.problem = 'absent';
      return false;
    } finally {
      closeSync(fd);
    }
  }

  #open(): number {
    let directory = -1;
    try {
      directory = openSync(this.#directory, NO_FOLLOW | constants.O_DIRECTORY);
      return openSync(`/proc/self/fd/${directory}/${this.#name}`, NO_FOLLOW);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      this.problem = code === 'ELOOP' || code === 'ENOTDIR' ? 'foreign' : 'absent';
      return -1;
    } finally {
      if (directory >= 0) closeSync(directory);
    }
  }

  #read(fd: number, buffer: Buffer): boolean {
    const stat = fstatSync(fd);
    if (!stat.isFile() || (stat.uid !== 0 && stat.uid !== statSync(this.#processDirectory).uid)) {
      this.problem = 'foreign';
      return false;
    }
    this.problem = undefined;
    if (stat.ino !== this.#inode || stat.size < this.#offset) {
      // Another file: the runtime began anew.
      this.#inode = stat.ino;
      this.#offset = 0;
      this.#map = new PerfMap();
    }
    const end = Math.min(stat.size, this.#offset + MAX_REFRESH_BYTES);
    while (this.#offset < end) {
      const got = readSync(fd, buffer, 0, Math.min(buffer.length, end - this.#offset), this.#offset);
      if (got === 0) break;
      this.#offset += got;
      this.#map.append(buffer.subarray(0, got));
    }
    if (this.#offset >= MAX_PERF_MAP_BYTES) this.problem = 'too_large';
    return this.#map.merge();
  }
}
