/**
 * Objects as files. A file appears under its name only when it is whole and on the disk:
 *
 *   write .tmp/<random> ─▶ fsync file ─▶ rename to <key> ─▶ fsync the folder
 *
 * A crash before the rename leaves a file in .tmp, which the next start removes; a crash after it
 * leaves an object that nobody has heard of, which the sweeper removes (I3).
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import { checkObjectKey, checkObjectPrefix } from './object-key.ts';
import type { ObjectStat, ObjectStore } from './object-store.ts';

const TEMPORARY = '.tmp';

export class DirectoryObjectStore implements ObjectStore {
  readonly root: string;
  /** Tail of the writes to a key, so that two puts of one key cannot pass each other's check. */
  readonly #writing = new Map<string, Promise<void>>();
  /** Folders known to exist durably. */
  readonly #folders = new Set<string>();

  constructor(root: string) {
    this.root = root;
  }

  /** Creates the root and drops what a crash left unfinished. The caller must be the only writer. */
  static async create(root: string): Promise<DirectoryObjectStore> {
    const store = new DirectoryObjectStore(root);
    await rm(join(root, TEMPORARY), { recursive: true, force: true });
    await store.#createFolder(join(root, TEMPORARY));
    return store;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    checkObjectKey(key);
    const before = this.#writing.get(key) ?? Promise.resolve();
    const write = before.then(() => this.#write(key, bytes));
    const settled = write.catch(() => undefined);
    this.#writing.set(key, settled);
    try {
      await write;
    } finally {
      if (this.#writing.get(key) === settled) this.#writing.delete(key);
    }
  }

  async get(key: string): Promise<Uint8Array> {
    const path = this.#path(key);
    try {
      return await readFile(path);
    } catch (error) {
      throw readError(key, error);
    }
  }

  async range(key: string, offset: number, length: number): Promise<Uint8Array> {
    const path = this.#path(key);
    const out = new Uint8Array(length);
    try {
      await using file = await open(path, 'r');
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(out, done, length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      if (done === length) return out;
    } catch (error) {
      throw readError(key, error);
    }
    throw new FleetflameError(
      'corrupt_data',
      `Object ${key} ends before byte ${offset + length}: it was cut short after it was written.`,
    );
  }

  async size(key: string): Promise<number> {
    return (await this.stat(key)).sizeBytes;
  }

  async stat(key: string): Promise<ObjectStat> {
    const path = this.#path(key);
    try {
      const found = await stat(path);
      return { sizeBytes: found.size, modifiedMs: found.mtimeMs };
    } catch (error) {
      throw readError(key, error);
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw unavailable(`Object ${key} cannot be deleted`, error);
    }
  }

  async list(prefix: string, limit = Infinity): Promise<string[]> {
    checkObjectPrefix(prefix);
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const keys: string[] = [];
    await this.#listFolder(folder, keys);
    const found = keys.filter((key) => key.startsWith(prefix)).toSorted();
    return limit < found.length ? found.slice(0, limit) : found;
  }

  clockAheadMs(): undefined {
    // Files carry this host's clock.
  }

  close(): void {
    // Nothing is held open between calls.
  }

  async #listFolder(folder: string, keys: string[]): Promise<void> {
    let entries;
    try {
      entries = await readdir(join(this.root, folder), { withFileTypes: true });
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw unavailable(`Folder ${folder} of the object store cannot be listed`, error);
    }
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) await this.#listFolder(`${folder}${entry.name}/`, keys);
      else if (entry.isFile()) keys.push(folder + entry.name);
    }
  }

  async #write(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(key);
    if (await this.#holds(key, path, bytes)) return;
    const temporary = join(this.root, TEMPORARY, randomBytes(12).toString('hex'));
    try {
      await this.#createFolder(dirname(path));
      {
        await using file = await open(temporary, 'wx', 0o640);
        await file.writeFile(bytes);
        await file.sync();
      }
      await rename(temporary, path);
      await syncFolder(dirname(path));
    } catch (error) {
      // Not swallowed: the first error is the one to report, and .tmp is emptied at the next start.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw unavailable(`Object ${key} of ${bytes.length} bytes cannot be written`, error);
    }
  }

  /** True when the key is there with these bytes; throws when it is there with others (I4). */
  async #holds(key: string, path: string, bytes: Uint8Array): Promise<boolean> {
    let stored;
    try {
      stored = await readFile(path);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw unavailable(`Object ${key} cannot be written`, error);
    }
    if (stored.equals(bytes)) {
      // A crash may have come between the rename and its fsync.
      await syncFolder(dirname(path));
      return true;
    }
    throw new FleetflameError(
      'invalid_input',
      `Object ${key} exists with other bytes, and objects are immutable: write it under a new key.`,
      { field: 'key' },
    );
  }

  /** mkdir -p that survives a power cut: every new folder is synced into its parent. */
  async #createFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    const first = await mkdir(folder, { recursive: true, mode: 0o750 });
    if (first !== undefined) {
      for (let made = folder; ; made = dirname(made)) {
        await syncFolder(dirname(made));
        if (made === first) break;
      }
    }
    this.#folders.add(folder);
  }

  #path(key: string): string {
    checkObjectKey(key);
    return join(this.root, key);
  }
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r');
  await handle.sync();
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function readError(key: string, error: unknown): FleetflameError {
  if (errorCode(error) === 'ENOENT') {
    return new FleetflameError('not_found', `Object ${key} is not there.`, { cause: error });
  }
  return unavailable(`Object ${key} cannot be read`, error);
}

function unavailable(what: string, error: unknown): FleetflameError {
  // What failed goes to strangers too: the path that the system names with it stays in the cause, for the log.
  const detail = (error instanceof Error ? error.message : String(error)).replace(/, \w+ '\/.*$/s, '');
  return new FleetflameError('unavailable', `${what}: ${detail}`, { cause: error });
}
