import { closeSync, constants, fstatSync, openSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { ProcFiles } from '../labels/proc-files.ts';
import { GrowingFile, type NameFileProblem, openBelow } from './growing-file.ts';
import { JitDump } from './jit-dump.ts';

/** Where a process has its dump mapped: writers map it executable, so that it can be found. */
export interface JitDumpMapping {
  readonly start: bigint;
  readonly end: bigint;
}

/** open(2): a name for a file that does not open it; Node has no name for it. */
const O_PATH = 0o10000000;
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
    super(() => new JitDump());
    this.#mapping = mapping;
    this.#processDirectory = join(files.root, String(pid));
    this.#pid = pid;
    this.#name = `jit-${namespacePid}.dump`;
    this.#files = files;
  }

  protected open(): number | NameFileProblem {
    this.#isMapped = false;
    if (this.#mapping !== undefined) {
      const fd = this.#openMapped(this.#mapping);
      if (fd >= 0) {
        this.#isMapped = true;
        return fd;
      }
    }
    for (const [directory, names] of this.#places()) {
      const opened = openBelow(directory, names);
      if (opened !== 'absent') return opened;
    }
    return 'absent';
  }

  /** A mapped file could be read by the process, whoever owns it. */
  protected isOwn(stat: Stats): boolean {
    return this.#isMapped || stat.uid === 0 || stat.uid === statSync(this.#processDirectory).uid;
  }

  #openMapped({ start, end }: JitDumpMapping): number {
    const range = `${start.toString(16)}-${end.toString(16)}`;
    let pinned = -1;
    try {
      // A device may do something when it is opened.
      pinned = openSync(join(this.#processDirectory, 'map_files', range), O_PATH);
      return fstatSync(pinned).isFile() ? openSync(`/proc/self/fd/${pinned}`, constants.O_RDONLY) : -1;
    } catch {
      return -1;
    } finally {
      if (pinned >= 0) closeSync(pinned);
    }
  }

  *#places(): Generator<readonly [directory: string, names: readonly string[]]> {
    const root = join(this.#processDirectory, 'root');
    yield [join(this.#processDirectory, 'cwd'), [this.#name]];
    yield [root, ['tmp', this.#name]];
    const environ = this.#files.read(this.#pid, 'environ', MAX_ENVIRON_BYTES)?.toString('utf8') ?? '';
    const home = environ
      .split('\0')
      .find((entry) => entry.startsWith('HOME=/'))
      ?.slice('HOME=/'.length);
    if (home === undefined) return;
    const below = [
      ...home.split('/').filter((name) => name !== '' && name !== '.' && name !== '..'),
      '.debug',
      'jit',
    ];
    const opened = openBelow(root, below);
    if (typeof opened === 'string') return;
    try {
      const directories = readdirSync(`/proc/self/fd/${opened}`).sort().slice(-MAX_DIRECTORIES);
      for (const name of directories.reverse()) yield [`/proc/self/fd/${opened}`, [name, this.#name]];
    } finally {
      closeSync(opened);
    }
  }
}
