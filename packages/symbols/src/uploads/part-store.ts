/**
 * Parts of uploads, in the storage, so that any server takes the next one and none is lost with a server.
 *
 * ```
 * symbol-uploads/<build id>/parts/<content>-<total bytes>/<offset>-<bytes>-<start of the sender's name>
 * ```
 * Numbers in hex. `content` names the bytes of the whole, so parts from several senders fit together, if they tell the
 * truth: a file of parts from several that turns out to be broken is sent again by one.
 */
import { open } from 'node:fs/promises';
import { FleetflameError } from '@fleetflame/profile';
import type { SymbolStorage } from '../symbol-storage.ts';
import { UPLOADS_PREFIX } from './lease.ts';

/** A whole file that is uploaded. */
export interface UploadFile {
  readonly buildId: string;
  readonly content: string;
  readonly totalBytes: number;
}

export interface Part {
  readonly key: string;
  readonly offset: number;
  readonly bytes: number;
  /** Start of its sender's name; empty: of an earlier version. */
  readonly sender: string;
}

export interface KeptUploads {
  readonly buildIds: ReadonlySet<string>;
  readonly bytes: number;
}

const OFFSET_DIGITS = 12;

export class PartStore {
  readonly #storage: SymbolStorage;

  constructor(storage: SymbolStorage) {
    this.#storage = storage;
  }

  /** Parts that follow each other from the start without gaps; of anybody, or of one sender only. */
  async received(file: UploadFile, onlyOf?: string): Promise<readonly Part[]> {
    const chain: Part[] = [];
    let end = 0;
    // Ascending by offset, so one pass finds them; of several at one offset any will do.
    for (const key of await this.#storage.list(partPrefix(file))) {
      const part = parsePart(key);
      if (part === undefined || part.offset !== end) continue;
      if (onlyOf !== undefined && part.sender !== senderOf(onlyOf)) continue;
      chain.push(part);
      end += part.bytes;
    }
    return chain;
  }

  async put(file: UploadFile, offset: number, bytes: Uint8Array, holder: string): Promise<Part> {
    const at = offset.toString(16).padStart(OFFSET_DIGITS, '0');
    const sender = senderOf(holder);
    const key = `${partPrefix(file)}${at}-${bytes.length.toString(16)}-${sender}`;
    await this.#storage.put(key, bytes);
    return { key, offset, bytes: bytes.length, sender };
  }

  /** Writes the parts one after the other to a new file. */
  async assemble(parts: readonly Part[], path: string): Promise<void> {
    await using file = await open(path, 'wx', 0o600);
    for (const part of parts) {
      const bytes = await this.#storage.get(part.key);
      if (bytes.length !== part.bytes) {
        throw new FleetflameError(
          'corrupt_data',
          `${part.key} has ${bytes.length} bytes, not ${part.bytes}.`,
        );
      }
      for (let written = 0; written < bytes.length;) {
        written += (await file.write(bytes, written)).bytesWritten;
      }
    }
  }

  /** Removes all parts for a build id, of this and of any other content. */
  async remove(buildId: string): Promise<void> {
    for (const key of await this.#storage.list(`${UPLOADS_PREFIX}${buildId}/parts/`)) {
      await this.#storage.delete(key);
    }
  }

  /** All uploads that there is something of. */
  async kept(): Promise<KeptUploads> {
    const buildIds = new Set<string>();
    let bytes = 0;
    for (const key of await this.#storage.list(UPLOADS_PREFIX)) {
      const buildId = key.split('/')[1];
      if (buildId !== undefined) buildIds.add(buildId);
      bytes += parsePart(key)?.bytes ?? 0;
    }
    return { buildIds, bytes };
  }
}

/** Senders' names have 16 digits or more. */
export function senderOf(holder: string): string {
  return holder.slice(0, 16);
}

function partPrefix({ buildId, content, totalBytes }: UploadFile): string {
  return `${UPLOADS_PREFIX}${buildId}/parts/${content}-${totalBytes.toString(16)}/`;
}

function parsePart(key: string): Part | undefined {
  const found = /\/parts\/[^/]+\/([0-9a-f]{12})-([0-9a-f]{1,8})(?:-([0-9a-f]{16}))?$/.exec(key);
  if (found?.[1] === undefined || found[2] === undefined) return undefined;
  const [offset, bytes] = [Number.parseInt(found[1], 16), Number.parseInt(found[2], 16)];
  return { key, offset, bytes, sender: found[3] ?? '' };
}
