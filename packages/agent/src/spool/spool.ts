import { mkdir, open, readFile, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import {
  type SpoolContents,
  type SpoolKey,
  decodeSpoolFile,
  encodeSpoolFile,
  parseSpoolFileName,
  spoolFileName,
} from './spool-file.ts';

export const DEFAULT_SPOOL_MAX_BYTES = 256 * 1024 * 1024;
/**
 * What is older is not sent any more: servers remember for 26 hours which batches they have, and take
 * none that is older than 25 (`batchAgeMs` of ingest), since they could count it twice.
 */
export const DEFAULT_SPOOL_MAX_AGE_MS = 24 * 3_600_000;
/** What the server refused and what was corrupt is kept for people to look at, oldest out first. */
export const MAX_SET_ASIDE_BYTES = 16 * 1024 * 1024;

const REFUSED = 'refused';
const CORRUPT = 'corrupt';

/**
 * Batches of a former start are not given up before this: the clock of a host that has just started is often wrong
 * by days until NTP sets it, and by then the server has taken what it takes.
 */
export const CLOCK_SETTLES_MS = 600_000;

export interface SpooledBatch {
  readonly key: SpoolKey;
  readonly name: string;
  readonly sizeBytes: number;
  /** By a clock that nobody sets; undefined: a former start put it there. */
  readonly putAtMs: number | undefined;
  /** Its age then. */
  readonly ageAtPutMs: number;
}

export interface SpoolCounters {
  written: number;
  /** Dropped because the spool was full: batches, and the samples in them. */
  dropped: number;
  droppedSamples: number;
  /** Given up because they waited for too long. */
  expired: number;
  expiredSamples: number;
  corrupt: number;
  refused: number;
  refusedSamples: number;
}

export interface SpoolOptions {
  /** Default: DEFAULT_SPOOL_MAX_BYTES. */
  readonly maxBytes?: number | undefined;
  /** Default: DEFAULT_SPOOL_MAX_AGE_MS. */
  readonly maxAgeMs?: number | undefined;
  readonly log: Logger;
}

/**
 * Batches on disk until the server has acknowledged them. A batch is there once put() resolves, and survives a
 * crash of the host: written under a temporary name, synced, renamed, directory synced.
 *
 *   spool/<agent_id>.<seq>.batch     to be sent, oldest first: agent ids begin with the time they were made
 *   spool/<…>.tmp                    torn off by a crash; removed at the next start
 *   spool/refused/  spool/corrupt/   set aside, bounded
 */
export class Spool {
  readonly counters: SpoolCounters = {
    written: 0,
    dropped: 0,
    droppedSamples: 0,
    expired: 0,
    expiredSamples: 0,
    corrupt: 0,
    refused: 0,
    refusedSamples: 0,
  };
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #maxAgeMs: number;
  readonly #log: Logger;
  /** Oldest first. */
  readonly #batches = new Map<string, SpooledBatch>();
  #sizeBytes = 0;
  /** On its way: what becomes of it is for its sender to say, so it is not dropped for room. */
  #offered: string | undefined;

  private constructor(directory: string, options: SpoolOptions) {
    this.#directory = directory;
    this.#maxBytes = options.maxBytes ?? DEFAULT_SPOOL_MAX_BYTES;
    this.#maxAgeMs = options.maxAgeMs ?? DEFAULT_SPOOL_MAX_AGE_MS;
    this.#log = options.log;
  }

  /** Opens a spool and finds what former starts left in it. */
  static async open(directory: string, options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(directory, options);
    await spool.#scan();
    return spool;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get length(): number {
    return this.#batches.size;
  }

  /**
   * Stores a batch durably. Drops the oldest ones when there is no room, by its own bound or on the disk.
   * Throws when the disk cannot take it even so.
   */
  async put(key: SpoolKey, contents: SpoolContents): Promise<void> {
    const name = spoolFileName(key);
    const bytes = encodeSpoolFile(contents);
    if (bytes.length > this.#maxBytes) {
      throw new Error(`a batch of ${bytes.length} bytes is larger than the whole spool (${this.#maxBytes})`);
    }
    await this.#makeRoom(bytes.length);
    while (!(await this.#write(name, bytes)));
    const ageAtPutMs = Math.max(0, Date.now() - contents.createdMs);
    this.#add({ key, name, sizeBytes: bytes.length, putAtMs: performance.now(), ageAtPutMs });
    this.counters.written++;
  }

  /** The oldest one that may go, by its name; it stays until it is deleted, refused or given up. */
  next(mayGo: (name: string) => boolean = () => true): SpooledBatch | undefined {
    for (const batch of this.#batches.values()) {
      if (!mayGo(batch.name)) continue;
      this.#offered = batch.name;
      return batch;
    }
    return undefined;
  }

  /**
   * Gives a batch up when it has waited for longer than servers take it; true: it did. A clock that is set ahead
   * makes no batch old that was put here since the start.
   */
  async giveUpIfOld(batch: SpooledBatch, contents: SpoolContents, nowMs: number): Promise<boolean> {
    if (ageOf(batch, contents, nowMs) <= this.#maxAgeMs) return false;
    this.counters.expired++;
    this.counters.expiredSamples += contents.samples;
    this.#log.warn(
      {
        file: batch.name,
        samples: contents.samples,
        createdMs: contents.createdMs,
        maxAgeMs: this.#maxAgeMs,
      },
      'a batch has waited for too long and is dropped',
    );
    await this.delete(batch);
    return true;
  }

  /** The contents of a batch; undefined when it is not there any more or was corrupt and has been set aside. */
  async read(batch: SpooledBatch): Promise<SpoolContents | undefined> {
    let file: Buffer;
    try {
      file = await readFile(join(this.#directory, batch.name));
    } catch (error) {
      this.#forget(batch);
      this.counters.corrupt++;
      this.#log.warn({ err: error, file: batch.name }, 'a spooled batch cannot be read and is given up');
      return undefined;
    }
    const contents = decodeSpoolFile(file);
    if (typeof contents !== 'string') return contents;
    this.counters.corrupt++;
    this.#log.warn({ file: batch.name, reason: contents }, 'a spooled batch is corrupt and set aside');
    await this.#setAside(batch, CORRUPT);
    return undefined;
  }

  has(name: string): boolean {
    return this.#batches.has(name);
  }

  /** Gives a batch other numbers, durably; it keeps its place. */
  async rename(batch: SpooledBatch, key: SpoolKey): Promise<void> {
    const name = spoolFileName(key);
    await rename(join(this.#directory, batch.name), join(this.#directory, name));
    const batches = [...this.#batches.values()];
    this.#batches.clear();
    for (const one of batches) {
      const kept = one.name === batch.name ? { ...one, key, name } : one;
      this.#batches.set(kept.name, kept);
    }
    if (this.#offered === batch.name) this.#offered = name;
    await syncDirectory(this.#directory);
  }

  /** The server has it. */
  async delete(batch: SpooledBatch): Promise<void> {
    this.#forget(batch);
    await removeIfThere(join(this.#directory, batch.name));
  }

  /** The server will never take it. */
  async refuse(batch: SpooledBatch, samples: number): Promise<void> {
    this.counters.refused++;
    this.counters.refusedSamples += samples;
    await this.#setAside(batch, REFUSED);
  }

  async #scan(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of (await readdir(this.#directory)).sort()) {
      const path = join(this.#directory, name);
      if (name.endsWith('.tmp')) {
        await removeIfThere(path);
        continue;
      }
      const key = parseSpoolFileName(name);
      if (key === undefined) continue;
      const { size } = await stat(path);
      this.#add({ key, name, sizeBytes: size, putAtMs: undefined, ageAtPutMs: 0 });
    }
    if (this.#batches.size > 0) {
      this.#log.info(
        { batches: this.#batches.size, bytes: this.#sizeBytes },
        'batches of a former start will be sent first',
      );
    }
  }

  /** False: the disk was full, and one batch less is on it now. */
  async #write(name: string, bytes: Uint8Array): Promise<boolean> {
    const path = join(this.#directory, name);
    const temporary = `${path}.tmp`;
    try {
      await writeDurably(temporary, bytes);
      await rename(temporary, path);
      await syncDirectory(this.#directory);
      return true;
    } catch (error) {
      await removeIfThere(temporary);
      if (isDiskFull(error) && (await this.#dropOldest('the disk is full'))) return false;
      throw error;
    }
  }

  async #makeRoom(wanted: number): Promise<void> {
    while (this.#sizeBytes + wanted > this.#maxBytes) {
      if (!(await this.#dropOldest('the spool is full'))) return;
    }
  }

  /** False: there is none that could be dropped. */
  async #dropOldest(why: string): Promise<boolean> {
    for (const batch of this.#batches.values()) {
      if (batch.name === this.#offered) continue;
      const contents = await this.read(batch);
      if (contents === undefined) return true;
      this.counters.dropped++;
      this.counters.droppedSamples += contents.samples;
      this.#log.warn({ file: batch.name, samples: contents.samples }, `${why}: the oldest batch is dropped`);
      await this.delete(batch);
      return true;
    }
    return false;
  }

  async #setAside(batch: SpooledBatch, folder: string): Promise<void> {
    this.#forget(batch);
    const directory = join(this.#directory, folder);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await rename(join(this.#directory, batch.name), join(directory, batch.name));
      await bound(directory, MAX_SET_ASIDE_BYTES);
    } catch (error) {
      this.#log.warn({ err: error, file: batch.name, folder }, 'a batch cannot be set aside and is deleted');
      await removeIfThere(join(this.#directory, batch.name));
    }
  }

  #add(batch: SpooledBatch): void {
    this.#batches.set(batch.name, batch);
    this.#sizeBytes += batch.sizeBytes;
  }

  #forget(batch: SpooledBatch): void {
    if (this.#batches.delete(batch.name)) this.#sizeBytes -= batch.sizeBytes;
    if (this.#offered === batch.name) this.#offered = undefined;
  }
}

/** Ms that a batch is old, 0 while that cannot be known. */
function ageOf({ putAtMs, ageAtPutMs }: SpooledBatch, { createdMs }: SpoolContents, nowMs: number): number {
  if (putAtMs !== undefined) return ageAtPutMs + performance.now() - putAtMs;
  return performance.now() < CLOCK_SETTLES_MS ? 0 : nowMs - createdMs;
}

/** Deletes the oldest files of a directory until the rest has at most maxBytes. */
async function bound(directory: string, maxBytes: number): Promise<void> {
  let total = 0;
  for (const name of (await readdir(directory)).sort().reverse()) {
    const path = join(directory, name);
    total += (await stat(path)).size;
    if (total > maxBytes) await unlink(path);
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
