/**
 * Copies of a SQLite catalog in object storage, beside the blocks that it is the catalog of:
 *
 *   catalog-copies/NAME/0000 …     the database file in pieces, each a zstd frame
 *   catalog-copies/NAME/copy.json  what it is, written last: without it there is no copy
 *
 * NAME is when it was begun (20261201T101500.000Z) and some random digits, so that names sort by time.
 */
import { createHash, randomBytes } from 'node:crypto';
import { FleetflameError } from '@fleetflame/profile';
import type { ObjectStore } from '../objects/object-store.ts';

export const COPY_PREFIX = 'catalog-copies/';
const MANIFEST = 'copy.json';
const NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d{3})Z-[0-9a-f]{8}$/;
const FORMAT = 1;

export interface CopyPiece {
  /** Bytes of the file in it. */
  readonly sizeBytes: number;
  /** Of these bytes, hex. */
  readonly sha256: string;
}

export interface CatalogCopy {
  readonly name: string;
  readonly storeId: string;
  /** Unix ms: it has all that was committed before. */
  readonly createdMs: number;
  /** Of the file. */
  readonly sizeBytes: number;
  /** As it lies in object storage. */
  readonly storedBytes: number;
  readonly pieces: readonly CopyPiece[];
  readonly schemaVersion: number;
  /** Live blocks. */
  readonly blocks: number;
  /** Unix ms; 0: there are no blocks. */
  readonly newestSampleMs: number;
}

export function newCopyName(nowMs: number): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '');
  return `${time}-${randomBytes(4).toString('hex')}`;
}

/** When it was begun, Unix ms; undefined: it is no name of a copy. */
export function copyTimeMs(name: string): number | undefined {
  const [, year, month, day, hour, minute, second] = NAME.exec(name) ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

export function pieceKey(name: string, index: number): string {
  return `${COPY_PREFIX}${name}/${String(index).padStart(4, '0')}`;
}

export function manifestKey(name: string): string {
  return `${COPY_PREFIX}${name}/${MANIFEST}`;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function encodeManifest(copy: CatalogCopy): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ format: FORMAT, ...copy }, undefined, 1)}\n`);
}

/** Keys of copies by name, the oldest first; also of those that were not written to their end. */
export async function keysOfCopies(objects: ObjectStore): Promise<Map<string, string[]>> {
  const keys = new Map<string, string[]>();
  for (const key of await objects.list(COPY_PREFIX)) {
    const [name = ''] = key.slice(COPY_PREFIX.length).split('/');
    if (copyTimeMs(name) === undefined) continue;
    keys.set(name, [...(keys.get(name) ?? []), key]);
  }
  return keys;
}

/** Names of whole copies, the newest first. */
export async function listCopies(objects: ObjectStore): Promise<string[]> {
  const all = await keysOfCopies(objects);
  return [...all.keys()].filter((name) => all.get(name)?.includes(manifestKey(name))).toReversed();
}

/** Throws not_found, corrupt_data. */
export async function readManifest(objects: ObjectStore, name: string): Promise<CatalogCopy> {
  const text = new TextDecoder().decode(await objects.get(manifestKey(name)));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(name, 'it is no JSON', cause);
  }
  const fields = new Map<string, unknown>(Object.entries(value ?? {}));
  if (fields.get('format') !== FORMAT) {
    throw new FleetflameError(
      'unsupported',
      `The copy ${name} of the catalog has format ${String(fields.get('format'))}, this Fleetflame reads ${FORMAT}: a newer one wrote it.`,
    );
  }
  const number = (field: string): number => {
    const found = fields.get(field);
    if (typeof found === 'number' && Number.isSafeInteger(found) && found >= 0) return found;
    throw damaged(name, `${field} is no count`);
  };
  const pieces = fields.get('pieces');
  if (!Array.isArray(pieces) || !pieces.every(isPiece)) throw damaged(name, 'pieces is no list of pieces');
  const storeId = fields.get('storeId');
  if (typeof storeId !== 'string') throw damaged(name, 'storeId is no text');
  const copy = {
    name,
    storeId,
    createdMs: number('createdMs'),
    sizeBytes: number('sizeBytes'),
    storedBytes: number('storedBytes'),
    pieces,
    schemaVersion: number('schemaVersion'),
    blocks: number('blocks'),
    newestSampleMs: number('newestSampleMs'),
  };
  if (pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0) !== copy.sizeBytes)
    throw damaged(name, 'its pieces do not add up to its size');
  return copy;
}

export function damaged(name: string, detail: string, cause?: unknown): FleetflameError {
  return new FleetflameError(
    'corrupt_data',
    `The copy ${name} of the catalog is damaged (${detail}): take another one (--list shows them, --copy NAME names one).`,
    { cause },
  );
}

function isPiece(value: unknown): value is CopyPiece {
  return (
    typeof value === 'object' &&
    value !== null &&
    'sizeBytes' in value &&
    typeof value.sizeBytes === 'number' &&
    'sha256' in value &&
    typeof value.sha256 === 'string'
  );
}
