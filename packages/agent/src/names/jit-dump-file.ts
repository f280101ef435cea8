import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ForeignBase, ForeignFile } from '@fleetflame/bpf';
import { ProcFiles } from '../labels/proc-files.ts';
import { GrowingFile, nameFileProblem, type NameFileProblem } from './growing-file.ts';
import { JitDump } from './jit-dump.ts';

/** Where a process has its dump mapped: writers map it executable, so that it can be found. */
export interface JitDumpMapping {
  readonly start: bigint;
  readonly end: bigint;
}

const MAX_ENVIRON_BYTES = 256 * 1024;
/** perf's JVMTI agent makes a directory for each run; the newest ones are looked through. */
const MAX_DIRECTORIES = 64;

/** Whether a mapped file is a jitdump by its name. */
export function isJitDump(path: string): boolean {
  return /\/jit-\d+\.dump(?: \(deleted\))?$/.test(path);
}

/**
 * One process's jitdump: the very file that it has mapped, also when it is deleted by now; else jit-PID.dump in the
 * process's working directory, its /tmp, or a directory below ~/.debug/jit, by the rules of perf maps.
 */
export class JitDumpFile extends GrowingFile<JitDump> {
  readonly #processDirectory: string;
  readonly #pid: number;
  readonly #name: string;
  readonly #files: ProcFiles;
  readonly #mapping: JitDumpMapping | undefined;
  #isMapped = false;

  /** namespacePid is the process's own idea of its pid; `mapping`, where it was seen to map the file. */
  constructor(
    pid: number,
    namespacePid: number,
    mapping: JitDumpMapping | undefined,
    files = new ProcFiles(),
  ) {
    super(() => new JitDump(), files.foreign);
    this.#mapping = mapping;
    this.#processDirectory = join(files.root, String(pid));
    this.#pid = pid;
    this.#name = `jit-${namespacePid}.dump`;
    this.#files = files;
  }

  protected open(): ForeignFile | NameFileProblem {
    this.#isMapped = false;
    const { foreign } = this.#files;
    if (this.#mapping !== undefined) {
      const file = foreign.openMapped(this.#pid, this.#mapping.start, this.#mapping.end);
      if (typeof file !== 'string') {
        this.#isMapped = true;
        return file;
      }
      if (file === 'hung') return file;
    }
    for (const [base, path] of this.#places()) {
      const file = foreign.openPath(this.#pid, base, path, { links: false });
      const found = typeof file === 'string' ? nameFileProblem(file) : file;
      if (found !== 'absent') return found;
    }
    return 'absent';
  }

  /** A mapped file could be read by the process, whoever owns it. */
  protected isOwn(file: ForeignFile): boolean {
    return this.#isMapped || file.uid === 0 || file.uid === statSync(this.#processDirectory).uid;
  }

  *#places(): Generator<readonly [base: ForeignBase, path: string]> {
    yield ['cwd', this.#name];
    yield ['root', `tmp/${this.#name}`];
    const environ = this.#files.readMemory(this.#pid, 'environ', MAX_ENVIRON_BYTES)?.toString('utf8') ?? '';
    const home = environ
      .split('\0')
      .find((entry) => entry.startsWith('HOME=/'))
      ?.slice('HOME=/'.length);
    if (home === undefined) return;
    const below = [
      ...home.split('/').filter((name) => name !== '' && name !== '.' && name !== '..'),
      '.debug',
      'jit',
    ].join('/');
    const directories = this.#files.foreign.list(this.#pid, 'root', below);
    if (typeof directories === 'string') return;
    const newest = [...directories].sort().slice(-MAX_DIRECTORIES).reverse();
    for (const name of newest) yield ['root', `${below}/${name}/${this.#name}`];
  }
}
