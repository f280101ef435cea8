import { ProcFiles } from '../labels/proc-files.ts';
import type { GrowingContent, GrowingFile } from './growing-file.ts';
import { JitDumpFile, type JitDumpMapping } from './jit-dump-file.ts';
import { type JitFrame, parseJitName } from './jit-name.ts';
import { PerfMapFile } from './perf-map-file.ts';

/** Processes whose names are kept, least recently used out first. */
export const MAX_JIT_PROCESSES = 256;
/** Entries of all perf maps and jitdumps together, about 150 bytes each. */
export const MAX_JIT_ENTRIES = 400_000;
/** Jitdumps whose place is remembered; some 100 bytes each. Others are sought where they usually are. */
const MAX_DUMPS = 4096;
/** Code moves without a sample ever missing its name, so the files are looked at again after this. */
const REFRESH_AFTER_MS = 1000;
/** A runtime may be told later to write names; a process without any is asked again after 1 s, 2 s, 4 s, … */
const MAX_ABSENT_MS = 60_000;
const MAX_STATUS_BYTES = 4096;

interface JitProcess {
  readonly map: PerfMapFile;
  readonly dump: JitDumpFile;
  /** Changes whenever names do: a new one makes cached names of the process void. */
  generation: number;
  /** Those of past seconds, in which other code may have been where code is now. */
  readonly pastGenerations: Map<number, number>;
  checkedAtMs: number;
  /** Collections are numbered: within one, the files are read at most once. */
  checkedAt: number;
  waitMs: number;
}

export interface JitNamesCounters {
  /** Frames looked up that nothing names. */
  unnamed: number;
  /** Of perf maps, and of jitdumps. */
  bytesRead: number;
  dumpBytesRead: number;
  /** Processes dropped by MAX_JIT_PROCESSES or MAX_JIT_ENTRIES. */
  evicted: number;
  /** Files that were no plain file of the process's user. */
  foreign: number;
  /** Files that are read no further: too large, or not of their format. */
  unreadable: number;
  /** Times that a file system did not answer. */
  hung: number;
  /** Lines of perf maps and records of jitdumps that are not of the format. */
  malformed: number;
  /** Entries, and source lines, beyond the limits of one file. */
  overLimit: number;
}

/** Names of JIT code in all processes, from their perf maps and jitdumps. */
export class JitNames {
  readonly counters: JitNamesCounters = {
    unnamed: 0,
    bytesRead: 0,
    dumpBytesRead: 0,
    evicted: 0,
    foreign: 0,
    unreadable: 0,
    hung: 0,
    malformed: 0,
    overLimit: 0,
  };
  readonly #files: ProcFiles;
  /** In order of use. */
  readonly #processes = new Map<number, JitProcess>();
  /** Where processes have their jitdumps mapped. */
  readonly #dumps = new Map<number, JitDumpMapping>();
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
    for (const process of this.#processes.values()) entries += entriesOf(process);
    return entries;
  }

  beginCollection(): void {
    this.#collection++;
  }

  /** The process was seen to map a jitdump. */
  announceDump(pid: number, mapping: JitDumpMapping): void {
    this.#dumps.delete(pid);
    this.#dumps.set(pid, mapping);
    for (const oldest of this.#dumps.keys()) {
      if (this.#dumps.size <= MAX_DUMPS) break;
      this.#dumps.delete(oldest);
    }
    // Made anew when it is sampled.
    this.#processes.delete(pid);
  }

  /** A number that is the same as long as the names that this process had in that second are; 1 or more. */
  generation(pid: number, nowMs: number, timeMs: number): number {
    const process = this.#use(pid);
    const age = nowMs - process.checkedAtMs;
    if (age < 0 || age >= process.waitMs) this.#refresh(process, nowMs);
    if (!process.dump.content.isPast(timeMs)) return process.generation;
    let generation = process.pastGenerations.get(timeMs);
    if (generation === undefined) {
      generation = ++this.#generations;
      process.pastGenerations.set(timeMs, generation);
    }
    return generation;
  }

  /** What was at a virtual address in a second. After a miss, call generation() again: the files may have been read anew. */
  find(pid: number, address: number, nowMs: number, timeMs: number): JitFrame | undefined {
    const process = this.#use(pid);
    let frame = frameAt(process, address, timeMs);
    const hasFile = process.map.problem === undefined || process.dump.problem === undefined;
    if (frame === undefined && hasFile && this.#refresh(process, nowMs)) {
      frame = frameAt(process, address, timeMs);
    }
    if (frame === undefined) this.counters.unnamed++;
    return frame;
  }

  /**
   * A process began or became another program: its names are void. Not where its jitdump is: that may have been told
   * before the start itself, and a place that is out of date leads nowhere.
   */
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
    const namespacePid = this.#namespacePid(pid);
    const process: JitProcess = {
      map: new PerfMapFile(pid, namespacePid, this.#files),
      dump: new JitDumpFile(pid, namespacePid, this.#dumps.get(pid), this.#files),
      generation: ++this.#generations,
      pastGenerations: new Map(),
      checkedAtMs: 0,
      checkedAt: 0,
      waitMs: 0,
    };
    this.#processes.set(pid, process);
    this.#evict();
    return process;
  }

  #refresh(process: JitProcess, nowMs: number): boolean {
    if (process.checkedAt === this.#collection) return false;
    process.checkedAt = this.#collection;
    process.checkedAtMs = nowMs;
    const { map, dump } = process;
    const rejectedBefore = rejectedOf(process);
    const [mapBytes, dumpBytes] = [map.bytesRead, dump.bytesRead];
    const mapChanged = this.#refreshFile(map);
    const dumpChanged = this.#refreshFile(dump);
    this.counters.bytesRead += map.bytesRead - mapBytes;
    this.counters.dumpBytesRead += dump.bytesRead - dumpBytes;
    const rejected = rejectedOf(process);
    // A file that began anew counts anew.
    this.counters.malformed += Math.max(0, rejected.malformed - rejectedBefore.malformed);
    this.counters.overLimit += Math.max(0, rejected.overLimit - rejectedBefore.overLimit);
    process.waitMs =
      map.problem === undefined || dump.problem === undefined
        ? REFRESH_AFTER_MS
        : Math.min(MAX_ABSENT_MS, Math.max(REFRESH_AFTER_MS, process.waitMs * 2));
    if (!mapChanged && !dumpChanged) return false;
    process.generation = ++this.#generations;
    process.pastGenerations.clear();
    this.#evict();
    return true;
  }

  #refreshFile(file: GrowingFile<GrowingContent>): boolean {
    const before = file.problem;
    const changed = file.refresh(this.#buffer);
    if (file.problem !== before) {
      if (file.problem === 'hung') this.counters.hung++;
      if (file.problem === 'foreign') this.counters.foreign++;
      if (file.problem === 'too_large' || file.problem === 'damaged') this.counters.unreadable++;
    }
    return changed;
  }

  #evict(): void {
    let entries = this.entryCount;
    for (const [pid, process] of this.#processes) {
      if (this.#processes.size <= 1) return;
      if (this.#processes.size <= MAX_JIT_PROCESSES && entries <= MAX_JIT_ENTRIES) return;
      entries -= entriesOf(process);
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

/** A jitdump knows more, when there is one. */
function frameAt({ map, dump }: JitProcess, address: number, timeMs: number): JitFrame | undefined {
  const frame = dump.content.find(address, timeMs);
  if (frame !== undefined) return frame;
  const name = map.map.find(address);
  return name === undefined ? undefined : parseJitName(name);
}

function entriesOf({ map, dump }: JitProcess): number {
  return map.map.length + dump.content.length;
}

function rejectedOf({ map, dump }: JitProcess): { readonly malformed: number; readonly overLimit: number } {
  const { content } = dump;
  return {
    malformed: map.map.badLines + content.badRecords,
    overLimit: map.map.overLimit + content.overLimit + content.linesOverLimit + content.goneOverLimit,
  };
}
