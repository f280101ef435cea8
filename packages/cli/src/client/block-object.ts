import { readFile } from 'node:fs/promises';
import { Code, ConnectError, type Client } from '@connectrpc/connect';
import { bytesSource, FleetflameError, type RangeSource } from '@fleetflame/profile';
import type { Block, BlockService } from '@fleetflame/proto/store/v1/blocks';
import { messageOf } from './message.ts';

/** As much as a server hands out at once. */
const PART_BYTES = 4 << 20;

/** The bytes of a block, wherever they are. */
export interface BlockObject extends RangeSource {
  readonly name: string;
  /** The catalog's row; undefined for a file. */
  readonly row: Block | undefined;
}

/** `name`: the id of a block of the server, or the path of a file. */
export async function openBlockObject(
  name: string,
  blocks: () => Client<typeof BlockService>,
): Promise<BlockObject> {
  if (!/^[0-9a-f]{12}-[0-9a-f]{16}$/.test(name)) return await openFile(name);
  const client = blocks();
  const { block } = await client.read({ id: name, length: 1 });
  if (block === undefined) throw new FleetflameError('corrupt_data', `${name}: the server sent no row of it`);
  return remoteBlock(client, block);
}

/** A block of the server, read part by part. */
export function remoteBlock(client: Client<typeof BlockService>, row: Block): BlockObject {
  return {
    name: row.id,
    row,
    size: Number(row.sizeBytes),
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const { part } = await client.read({
          id: row.id,
          offset: BigInt(offset + done),
          length: Math.min(PART_BYTES, length - done),
        });
        if (part.length === 0) {
          throw new FleetflameError(
            'corrupt_data',
            `${row.id}: the object ends at ${offset + done} bytes, the catalog says ${row.sizeBytes}`,
          );
        }
        bytes.set(part, done);
        done += part.length;
      }
      return bytes;
    },
  };
}

async function openFile(path: string): Promise<BlockObject> {
  try {
    const source = bytesSource(await readFile(path));
    return { name: path, row: undefined, size: source.size, read: (...range) => source.read(...range) };
  } catch (cause) {
    throw new FleetflameError(
      'invalid_input',
      `${path} is neither the id of a block (as \`blocks list\` shows it) nor a file: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** True when the block has been merged into another, or deleted, since it was listed. */
export function isGone(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.NotFound;
}
