import { type BinaryEvent, type ForeignFile, ForeignFiles } from '@fleetflame/bpf';
import { stripDeleted } from '../labels/process-facts.ts';
import { type BinaryImage, codeAddress } from './binary-image.ts';
import { type BinaryProblem, openBinary } from './open-binary.ts';

/** Binaries remembered, least recently sampled out first; about 500 bytes each. A large host has some 5,000. */
export const MAX_BINARIES = 16_384;
/** Files kept open for the symbol upload, and for how long: an open file keeps its file system from unmounting. */
export const MAX_OPEN_FILES = 64;
export const OPEN_FILE_MS = 60_000;
/** A binary that could not be opened is tried again when sampled in another window, this often. */
const MAX_ATTEMPTS = 3;

export interface Binary {
  readonly id: number;
  readonly path: string;
  /** "" when not known: then addresses are file offsets. */
  buildId: string;
  image: BinaryImage | undefined;
  problem: BinaryProblem | undefined;
}

interface Entry extends Binary {
  readonly event: BinaryEvent;
  attempts: number;
  /** Collection window of the last attempt. */
  triedIn: number;
  file: ForeignFile | undefined;
  openedAtMs: number;
}

export interface BinaryTableCounters {
  opened: number;
  problems: Record<BinaryProblem, number>;
  evicted: number;
  /** Frames of binaries that no event told of, or that were evicted. */
  unknownFrames: number;
}

/** A file handed to the symbol upload: it is the upload's to close. */
export interface BinaryFile {
  readonly buildId: string;
  readonly path: string;
  /** A process that has it mapped: its root is where the binary's paths begin. */
  readonly pid: number;
  /** Of `BinaryTable.files`. */
  readonly file: ForeignFile;
}

/** The files that code was sampled in, by the sampler's ids. */
export class BinaryTable {
  readonly counters: BinaryTableCounters = {
    opened: 0,
    problems: { not_found: 0, replaced: 0, not_elf: 0, hung: 0 },
    evicted: 0,
    unknownFrames: 0,
  };
  readonly files: ForeignFiles;
  readonly #entries = new Map<number, Entry>();
  /** Files that are open, oldest first, by build id. */
  readonly #open = new Map<string, Entry>();
  #window = 0;

  constructor(files = new ForeignFiles()) {
    this.files = files;
  }

  get size(): number {
    return this.#entries.size;
  }

  get openFiles(): number {
    return this.#open.size;
  }

  add(events: readonly BinaryEvent[]): void {
    for (const event of events) {
      this.#entries.set(event.id, {
        id: event.id,
        path: stripDeleted(event.path),
        buildId: event.buildId,
        image: undefined,
        problem: undefined,
        event,
        attempts: 0,
        triedIn: -1,
        file: undefined,
        openedAtMs: 0,
      });
    }
    for (const [id, entry] of this.#entries) {
      if (this.#entries.size <= MAX_BINARIES) break;
      this.#close(entry);
      this.#entries.delete(id);
      this.counters.evicted++;
    }
  }

  /** The binary that a process has a sample in; opened if it has not been. */
  get(id: number, pid: number, nowMs: number): Binary | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      this.counters.unknownFrames++;
      return undefined;
    }
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    if (entry.image === undefined && entry.attempts < MAX_ATTEMPTS && entry.triedIn !== this.#window) {
      this.#tryOpen(entry, pid, nowMs);
    }
    return entry;
  }

  /** What is known of a binary, without a look at its file. */
  describe(id: number): { readonly path: string; readonly buildId: string } | undefined {
    return this.#entries.get(id);
  }

  /** Closes files that were open for long, lets unreadable binaries be tried again. Once per window. */
  beginWindow(nowMs: number): void {
    this.#window++;
    for (const entry of this.#open.values()) {
      const age = nowMs - entry.openedAtMs;
      if (age > OPEN_FILE_MS || age < 0) this.#close(entry);
    }
  }

  /** The open file of a binary, given away; undefined when it is not open any more. */
  takeFile(buildId: string): BinaryFile | undefined {
    const entry = this.#open.get(buildId);
    if (entry?.file === undefined) return undefined;
    this.#open.delete(buildId);
    const { file } = entry;
    entry.file = undefined;
    return this.files.has(file) ? { buildId, path: entry.path, pid: entry.event.pid, file } : undefined;
  }

  /** Opens a binary again whose file was closed. */
  reopenFile(buildId: string): BinaryFile | undefined {
    const taken = this.takeFile(buildId);
    if (taken !== undefined) return taken;
    for (const entry of this.#entries.values()) {
      if (entry.image === undefined || entry.buildId !== buildId) continue;
      const { pid } = entry.event;
      const opened = openBinary(this.files, { ...entry.event, buildId }, pid);
      if (opened.file !== undefined) return { buildId, path: entry.path, pid, file: opened.file };
    }
    return undefined;
  }

  /** The server has no need of this binary: its file need not stay open. */
  release(buildId: string): void {
    const entry = this.#open.get(buildId);
    if (entry !== undefined) this.#close(entry);
  }

  close(): void {
    for (const entry of this.#open.values()) this.#close(entry);
  }

  #tryOpen(entry: Entry, pid: number, nowMs: number): void {
    entry.attempts++;
    entry.triedIn = this.#window;
    const opened = openBinary(this.files, entry.event, pid);
    if (opened.file === undefined) {
      entry.problem = opened.problem;
      if (entry.attempts === 1) this.counters.problems[opened.problem]++;
      return;
    }
    this.counters.opened++;
    entry.image = opened.image;
    entry.buildId = opened.image.buildId;
    entry.problem = undefined;
    if (this.#open.has(entry.buildId)) {
      this.files.close(opened.file);
      return;
    }
    entry.file = opened.file;
    entry.openedAtMs = nowMs;
    this.#open.set(entry.buildId, entry);
    for (const oldest of this.#open.values()) {
      if (this.#open.size <= MAX_OPEN_FILES) break;
      this.#close(oldest);
    }
  }

  #close(entry: Entry): void {
    if (entry.file === undefined) return;
    this.files.close(entry.file);
    entry.file = undefined;
    if (this.#open.get(entry.buildId) === entry) this.#open.delete(entry.buildId);
  }
}

/** Address of a file offset within a binary, and whether it is an ELF address. */
export function binaryAddress(
  binary: Binary,
  offset: number,
): { readonly address: number; readonly isElf: boolean } {
  const address = binary.image === undefined ? undefined : codeAddress(binary.image, offset);
  return address === undefined ? { address: offset, isElf: false } : { address, isElf: true };
}
