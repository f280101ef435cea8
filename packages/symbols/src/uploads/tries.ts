/**
 * Uploads that came to nothing: no ELF file, another binary, fewer names than it was said to have. They count against
 * (sender, content), never against the build id: anybody can send anything for any build id, and one sender's
 * junk must not stop the others from sending the file itself.
 *
 * By this process for itself. What it does not know any more, or another one saw, costs an upload in vain, no names.
 */
import { FAILURE_RETRY_MS } from '../limits.ts';

/** Remembered in all, the oldest forgotten first: some 200 bytes each. */
const MAX_TRIES = 50_000;
/** Of one build id. */
const MAX_OF_ONE = 256;
/**
 * What may be sent in vain for one build id in a day before others are asked more slowly: a broken binary that a
 * thousand hosts have is not to be sent a thousand times. Junk of a stranger is small, or costs him as much.
 */
const FREE_BYTES = 64 << 20;
/** Then somebody is asked so often. */
export const SLOW_MS = 15 * 60_000;

export interface Sender {
  readonly uploader: string;
  readonly content: string;
}

interface Try extends Sender {
  readonly bytes: number;
  readonly atMs: number;
}

export class Tries {
  readonly #now: () => number;
  /** Build id → tries, oldest first; in order of the last one. */
  readonly #tries = new Map<string, Try[]>();
  #size = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#size;
  }

  add(buildId: string, { uploader, content }: Sender, bytes: number): void {
    const tries = this.#of(buildId);
    this.#forget(buildId);
    tries.push({ uploader, content, bytes, atMs: this.#now() });
    const kept = tries.slice(-MAX_OF_ONE);
    this.#tries.set(buildId, kept);
    this.#size += kept.length;
    for (const oldest of this.#tries.keys()) {
      if (this.#size <= MAX_TRIES) break;
      this.#forget(oldest);
    }
  }

  /**
   * Whether this sender need not be asked for this content: `no`, it came to nothing; `later`, so many others'
   * did that it must wait.
   */
  verdict(buildId: string, { uploader, content }: Sender): 'yes' | 'no' | 'later' {
    const tries = this.#of(buildId);
    const isOwn = (one: Try): boolean => one.uploader === uploader && one.content === content;
    if (uploader !== '' && content !== '' && tries.some(isOwn)) return 'no';
    const bytes = tries.reduce((sum, one) => sum + one.bytes, 0);
    const lastMs = tries.at(-1)?.atMs ?? 0;
    return bytes > FREE_BYTES && this.#now() - lastMs < SLOW_MS ? 'later' : 'yes';
  }

  /** Those of the last day. */
  #of(buildId: string): Try[] {
    const sinceMs = this.#now() - FAILURE_RETRY_MS;
    return (this.#tries.get(buildId) ?? []).filter(({ atMs }) => atMs > sinceMs);
  }

  #forget(buildId: string): void {
    this.#size -= this.#tries.get(buildId)?.length ?? 0;
    this.#tries.delete(buildId);
  }
}
