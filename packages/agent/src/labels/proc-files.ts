import { closeSync, openSync, readSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ForeignFiles } from '@fleetflame/bpf';

/**
 * Small synchronous reads under /proc. Synchronous, because a process may be gone a moment later and
 * because one read takes about ten microseconds, less than a trip through the thread pool.
 */
export class ProcFiles {
  readonly root: string;
  readonly foreign: ForeignFiles;
  #buffer = Buffer.allocUnsafe(16 * 1024);

  constructor(root = '/proc', foreign = new ForeignFiles(root)) {
    this.root = root;
    this.foreign = foreign;
  }

  /** The first maxBytes of /proc/PID/NAME; valid until the next read. Undefined when gone or forbidden. */
  read(pid: number, name: string, maxBytes: number): Buffer | undefined {
    let fd: number;
    try {
      fd = openSync(join(this.root, String(pid), name), 'r');
    } catch {
      return undefined;
    }
    try {
      let length = 0;
      for (;;) {
        if (length === this.#buffer.length) this.#grow();
        const want = Math.min(this.#buffer.length, maxBytes) - length;
        if (want <= 0) break;
        const got = readSync(fd, this.#buffer, length, want, null);
        if (got === 0) break;
        length += got;
      }
      return this.#buffer.subarray(0, length);
    } catch {
      return undefined; // ESRCH: it exited between open and read.
    } finally {
      closeSync(fd);
    }
  }

  /** The same for files for which the kernel looks into the process: its memory may be a file that does not answer. */
  readMemory(pid: number, name: 'environ', maxBytes: number): Buffer | undefined {
    const bytes = this.foreign.readProc(pid, name, maxBytes);
    return typeof bytes === 'string' ? undefined : bytes;
  }

  link(pid: number, name: string): string | undefined {
    try {
      return readlinkSync(join(this.root, String(pid), name));
    } catch {
      return undefined;
    }
  }

  /** False when it is gone, a zombie or a kernel thread; true also when a look is forbidden. */
  hasProgram(pid: number): boolean {
    try {
      readlinkSync(join(this.root, String(pid), 'exe'));
      return true;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      return code !== 'ENOENT' && code !== 'ESRCH';
    }
  }

  #grow(): void {
    const grown = Buffer.allocUnsafe(this.#buffer.length * 2);
    this.#buffer.copy(grown);
    this.#buffer = grown;
  }
}
