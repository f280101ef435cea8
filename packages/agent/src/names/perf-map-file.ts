import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ForeignFile } from '@fleetflame/bpf';
import { ProcFiles } from '../labels/proc-files.ts';
import { GrowingFile, nameFileProblem, type NameFileProblem } from './growing-file.ts';
import { PerfMap } from './perf-map.ts';

/**
 * One process's perf map. It is in the process's own /tmp: neither /tmp nor the file may be a symbolic link, the file
 * is a regular one, and it belongs to the process's user or to root.
 */
export class PerfMapFile extends GrowingFile<PerfMap> {
  readonly #processDirectory: string;
  readonly #pid: number;
  readonly #name: string;
  readonly #files: ProcFiles;

  /** namespacePid is the process's own idea of its pid. */
  constructor(pid: number, namespacePid: number, files = new ProcFiles()) {
    super(() => new PerfMap(), files.foreign);
    this.#processDirectory = join(files.root, String(pid));
    this.#pid = pid;
    this.#files = files;
    this.#name = `perf-${namespacePid}.map`;
  }

  get map(): PerfMap {
    return this.content;
  }

  protected open(): ForeignFile | NameFileProblem {
    const file = this.#files.foreign.openPath(this.#pid, 'root', `tmp/${this.#name}`, { links: false });
    return typeof file === 'string' ? nameFileProblem(file) : file;
  }

  protected isOwn(file: ForeignFile): boolean {
    return file.uid === 0 || file.uid === statSync(this.#processDirectory).uid;
  }
}
