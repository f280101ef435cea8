import { ProcFiles } from '../labels/proc-files.ts';
import { PerfMapFile } from './perf-map-file.ts';

/** Processes whose perf maps are kept, least recently used out first. */
export const MAX_JIT_PROCESSES = 256;
/** Entries of all perf maps together, about 150 bytes each. */
export const MAX_JIT_ENTRIES = 400_000;
/** Code moves without a sample ever missing its name, so a map is looked at again after this. */
const REFRESH_AFTER_MS = 1000;
/** A runtime may be told later to write a map; a process without one is asked again after 1 s, 2 s, 4 s, … */
const MAX_ABSENT_MS = 60_000;
const MAX_STATUS_BYTES = 4096;

interface JitProcess {
  readonly file: PerfMapFile;
  /** Changes whenever names do: a new one makes cached names of the process void. */
  generation: number;
  checkedAtMs: number;
  /** Collections are numbered: within one, a map is read at most once. */
  checkedAt: number;
  waitMs: number;
}

export interface JitNamesCounters {
  /** Frames looked up that no perf map names. */
  unnamed: number;
  bytesRead: number;
  /** Maps dropped by MAX_JIT_PROCESSES or MAX_JIT_ENTRIES. */
  evicted: number;
  /** Maps that were no plain file of the process's user. */
  foreign: number;
}

/** Names of JIT code in all processes, from their perf maps. */
export class JitNames {
  readonly counters: JitNamesCounters = { unnamed: 0, bytesRead: 0, evicted: 0, foreign: 0 };
  readonly #files: ProcFiles;
  /** In order of use. */
  readonly #processes = new Map<number, JitProcess>();
  readonly #buffer = Buffer.allocUnsafeSlow(256 * 1024);
  #generations = 0;
  #collection = 0;

  constructor(files = new ProcFiles()) {
    this.#files = files;
  }

  get processCount(): number {
    return this.#processes.size;
  }

  get entryCount(): number {
    let entries = 0;
    for (const process of this.#processes.values()) entries += process.file.map.length;
    return entries;
  }

  beginCollection(): void {
    this.#collection++;
  }

  /** A number that is the same as long as the names of this process are; 1 or more. */
  generation(pid: number, nowMs: number): number {
    const process = this.#use(pid);
    const age = nowMs - process.checkedAtMs;
    if (age < 0 || age >= process.waitMs) this.#refresh(process, nowMs);
    return process.generation;
  }

  /** Name at a virtual address. After a miss, call generation() again: the map may have been read anew. */
  name(pid: number, address: number, nowMs: number): string | undefined {
    const process = this.#use(pid);
    let name = process.file.map.find(address);
    if (name === undefined && process.file.problem === undefined && this.#refresh(process, nowMs)) {
      name = process.file.map.find(address);
    }
    if (name === undefined) this.counters.unnamed++;
    return name;
  }

  /** A process exited or became another program: its names are void. */
  forget(pid: number): void {
    this.#processes.delete(pid);
  }

  #use(pid: number): JitProcess {
    const known = this.#processes.get(pid);
    if (known !== undefined) {
      this.#processes.delete(pid);
      this.#processes.set(pid, known);
      return known;
    }
    const process: JitProcess = {
      file: new PerfMapFile(pid, this.#namespacePid(pid), this.#files.root),
      generation: ++this.#generations,
      checkedAtMs: 0,
      checkedAt: 0,
      waitMs: 0,
    };
    this.#processes.set(pid, process);
    return process;
  }

  #refresh(process: JitProcess, nowMs: number): boolean {
    if (process.checkedAt === this.#collection) return false;
    process.checkedAt = this.#collection;
    process.checkedAtMs = nowMs;
    const before = process.file.offset;
    const problem = process.file.problem;
    const changed = process.file.refresh(this.#buffer);
    this.counters.bytesRead += Math.max(0, process.file.offset - before);
    if (process.file.problem === 'foreign' && problem !== 'foreign') this.counters.foreign++;
    process.waitMs =
      process.file.problem === undefined
        ? REFRESH_AFTER_MS
        : Math.min(MAX_ABSENT_MS, Math.max(REFRESH_AFTER_MS, process.waitMs * 2));
    if (changed) {
      process.generation = ++this.#generations;
      this.#evict();
    }
    return changed;
  }

  #evict(): void {
    let entries = this.entryCount;
    for (const [pid, process] of this.#processes) {
      if (this.#processes.size <= 1) return;
      if (this.#processes.size <= MAX_JIT_PROCESSES && entries <= MAX_JIT_ENTRIES) return;
      entries -= process.file.map.length;
      this.#processes.delete(pid);
      this.counters.evicted++;
    }
  }

  /** The last number of NSpid: the pid inside the innermost namespace. */
  #namespacePid(pid: number): number {
    const status = this.#files.read(pid, 'status', MAX_STATUS_BYTES)?.toString('latin1') ?? '';
    const inner = /^NSpid:.*?(\d+)\s*$/m.exec(status)?.[1];
    return inner === undefined ? pid : Number(inner);
  }
}
