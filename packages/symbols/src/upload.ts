/** One upload: a file in scratch space that grows part by part. */
import { open, rm, type FileHandle } from 'node:fs/promises';

export interface UploadHead {
  readonly buildId: string;
  readonly fileName: string;
  readonly totalBytes: number;
}

export class Upload {
  readonly head: UploadHead;
  readonly path: string;
  received = 0;
  touchedMs: number;
  /** Set while the whole file is being converted: then it neither expires nor takes parts. */
  conversion: Promise<number> | undefined;
  readonly #file: FileHandle;
  #turn: Promise<unknown> = Promise.resolve();

  static async create(head: UploadHead, path: string, nowMs: number): Promise<Upload> {
    return new Upload(head, path, nowMs, await open(path, 'wx+', 0o600));
  }

  private constructor(head: UploadHead, path: string, nowMs: number, file: FileHandle) {
    this.head = head;
    this.path = path;
    this.touchedMs = nowMs;
    this.#file = file;
  }

  /** Runs `work` after what was begun before it: parts of one upload are handled one at a time. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  async append(part: Uint8Array): Promise<void> {
    let written = 0;
    while (written < part.length) {
      const { bytesWritten } = await this.#file.write(
        part,
        written,
        part.length - written,
        this.received + written,
      );
      written += bytesWritten;
    }
    this.received += part.length;
  }

  /** Whether the bytes at `offset` that are here already are these. */
  async repeats(offset: number, bytes: Uint8Array): Promise<boolean> {
    const before = Buffer.alloc(bytes.length);
    const { bytesRead } = await this.#file.read(before, 0, bytes.length, offset);
    return bytesRead === bytes.length && before.equals(bytes);
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.path, { force: true });
  }
}
