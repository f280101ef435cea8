import type { ForeignFile, ForeignFiles, ForeignProblem } from '@fleetflame/bpf';

/** Bytes taken in one refresh: 4 MiB are some 60,000 lines, about 30 ms. The rest is taken at the next. */
export const MAX_REFRESH_BYTES = 4 * 1024 * 1024;
/** Bytes read of one file in all. V8 moves code as it collects garbage, and appends; a file beyond this is left. */
export const MAX_NAME_FILE_BYTES = 256 * 1024 * 1024;

/** `hung`: its file system does not answer. */
export type NameFileProblem = 'absent' | 'foreign' | 'too_large' | 'damaged' | 'hung';

/** What a file's bytes become. */
export interface GrowingContent {
  /** Takes the next bytes, cut anywhere. Returns how many bytes of the file after them are not wanted. */
  append(bytes: Buffer): number;
  /** Makes what was appended count; true when something changed. */
  merge(): boolean;
  /** Nothing more can be read of it. */
  readonly damage?: string | undefined;
}

/**
 * A file of names that a runtime writes, read from where the last refresh ended. It is written by whom the agent does
 * not trust and read by root: those who say where it is see to it that no symbolic link is followed, and that the
 * process could have read the file itself.
 */
export abstract class GrowingFile<Content extends GrowingContent> {
  problem: NameFileProblem | undefined;
  /** Bytes read so far, of all files that this has been. */
  bytesRead = 0;
  #content: Content;
  readonly #create: () => Content;
  #offset = 0;
  /** Bytes after the offset that are not wanted. */
  #skip = 0;
  #readOfFile = 0;
  #inode = 0;

  readonly #files: ForeignFiles;

  constructor(create: () => Content, files: ForeignFiles) {
    this.#files = files;
    this.#create = create;
    this.#content = create();
  }

  get content(): Content {
    return this.#content;
  }

  /** The open file, or why there is none. */
  protected abstract open(): ForeignFile | NameFileProblem;

  /** Whether it may be read: it is what it should be, and the process's own. */
  protected abstract isOwn(file: ForeignFile): boolean;

  /** Reads what was appended; true when names changed. */
  refresh(buffer: Buffer): boolean {
    if (this.problem !== undefined && this.problem !== 'absent' && this.problem !== 'hung') return false;
    const opened = this.open();
    if (typeof opened === 'string') {
      this.problem = opened;
      return false;
    }
    try {
      return this.#read(opened, buffer);
    } catch {
      this.problem = 'absent';
      return false;
    } finally {
      this.#files.close(opened);
    }
  }

  #read(file: ForeignFile, buffer: Buffer): boolean {
    if (!this.isOwn(file)) {
      this.problem = 'foreign';
      return false;
    }
    this.problem = undefined;
    if (file.inode !== this.#inode || file.size < this.#offset) {
      // Another file: the runtime began anew.
      this.#inode = file.inode;
      this.#offset = 0;
      this.#skip = 0;
      this.#readOfFile = 0;
      this.#content = this.#create();
    }
    for (let left = MAX_REFRESH_BYTES; left > 0;) {
      const skipped = Math.min(this.#skip, file.size - this.#offset);
      this.#offset += skipped;
      this.#skip -= skipped;
      const want = Math.min(buffer.length, left, file.size - this.#offset);
      const got = want > 0 ? this.#files.read(file, buffer.subarray(0, want), this.#offset) : 0;
      if (typeof got === 'string') {
        this.problem = nameFileProblem(got);
        break;
      }
      if (got === 0) break;
      left -= got;
      this.#offset += got;
      this.#readOfFile += got;
      this.bytesRead += got;
      this.#skip = this.#content.append(buffer.subarray(0, got));
    }
    if (this.#readOfFile >= MAX_NAME_FILE_BYTES) this.problem = 'too_large';
    if (this.#content.damage !== undefined) this.problem = 'damaged';
    return this.#content.merge();
  }
}

/** What it means for a file of names that it could not be opened or read. */
export function nameFileProblem(problem: ForeignProblem): NameFileProblem {
  if (problem === 'hung') return 'hung';
  return problem === 'link' || problem === 'not_regular' ? 'foreign' : 'absent';
}
