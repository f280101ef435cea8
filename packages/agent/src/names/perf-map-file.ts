import { type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { GrowingFile, type NameFileProblem, openBelow } from './growing-file.ts';
import { PerfMap } from './perf-map.ts';

/**
 * One process's perf map. It is in the process's own /tmp: neither /tmp nor the file may be a symbolic link, the file
 * is a regular one, and it belongs to the process's user or to root.
 */
export class PerfMapFile extends GrowingFile<PerfMap> {
  readonly #processDirectory: string;
  readonly #name: string;

  /** namespacePid is the process's own idea of its pid. */
  constructor(pid: number, namespacePid: number, procRoot = '/proc') {
    super(() => new PerfMap());
    this.#processDirectory = join(procRoot, String(pid));
    this.#name = `perf-${namespacePid}.map`;
  }

  get map(): PerfMap {
    return this.content;
  }

  protected open(): number | NameFileProblem {
    return openBelow(join(this.#processDirectory, 'root'), ['tmp', this.#name]);
  }

  protected isOwn(stat: Stats): boolean {
    return stat.uid === 0 || stat.uid === statSync(this.#processDirectory).uid;
  }
}
