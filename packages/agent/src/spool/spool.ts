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
/** What the server refused and what was corrupt is kept for people to look at, oldest out first. */
export const MAX_SET_ASIDE_BYTES = 16 * 1024 * 1024;

const REFUSED = 'refused';
const CORRUPT = 'corrupt';

export interface SpooledBatch {
  readonly key: SpoolKey;
  readonly name: string;
  readonly sizeBytes: number;
}

export interface SpoolCounters {
  written: number;
  /** Dropped because the spool was full: batches, and the samples in them. */
  dropped: number;
  droppedSamples: number;
  corrupt: number;
  refused: number;
  refusedSamples: number;
}

/**
 * Batches on disk until the server has acknowledged them. A batch is there once put() resolves, and survives a
 * crash of the host: written under a temporary name, synced, renamed, directory synced.
 *
 *   spool/<agent_id>.<seq>.batch     to be sent, oldest first: agent ids begin with their time of start
 *   spool/<…>.tmp                    torn off by a crash; removed at the next start
 *   spool/refused/  spool/corrupt/   set aside, bounded
 */
export class Spool {
  readonly counters: SpoolCounters = {
    written: 0,
    dropped: 0,
    droppedSamples: 0,
    corrupt: 0,
    refused: 0,
    refusedSamples: 0,
  };
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #log: Logger;
  /** Oldest first. */
  readonly #batches = new Map<string, SpooledBatch>();
  #sizeBytes = 0;

  private constructor(directory: string, maxBytes: number, log: Logger) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /** Opens a spool and finds what former starts left in it. */
  static async open(
    directory: string,
    options: { readonly maxBytes?: number | undefined; readonly log: Logger },
  ): Promise<Spool> {
    const spool = new Spool(directory, options.maxBytes ?? DEFAULT_SPOOL_MAX_BYTES, options.log);
    await spool.#scan();
    return spool;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get length(): number {
    return this.#batches.size;
  }

  /** Stores a batch durably. Drops the oldest ones when there is no room. */
  async put(key: SpoolKey, contents: SpoolContents): Promise<void> {
    const name = spoolFileName(key);
    const bytes = encodeSpoolFile(contents);
    await this.#makeRoom(bytes.length);
    const path = join(this.#directory, name);
    const temporary = `${path}.tmp`;
    try {
      await writeDurably(temporary, bytes);
      await rename(temporary, path);
      await syncDirectory(this.#directory);
    } catch (error) {
      await removeIfThere(temporary);
      throw error;
    }
    this.#add({ key, name, sizeBytes: bytes.length });
    this.counters.written++;
  }

  oldest(): SpooledBatch | undefined {
    for (const batch of this.#batches.values()) return batch;
    return undefined;
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
      this.#add({ key, name, sizeBytes: size });
    }
    if (this.#batches.size > 0) {
      this.#log.info(
        { batches: this.#batches.size, bytes: this.#sizeBytes },
        'batches of a former start will be sent first',
      );
    }
  }

  async #makeRoom(wanted: number): Promise<void> {
    for (const batch of this.#batches.values()) {
      if (this.#sizeBytes + wanted <= this.#maxBytes) return;
      const contents = await this.read(batch);
      if (contents === undefined) continue;
      this.counters.dropped++;
      this.counters.droppedSamples += contents.samples;
      this.#log.warn(
        { file: batch.name, maxBytes: this.#maxBytes, samples: contents.samples },
        'the spool is full: its oldest batch is dropped',
      );
      await this.delete(batch);
    }
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
  }
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

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
