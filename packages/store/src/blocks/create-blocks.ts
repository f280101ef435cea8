/**
 * BlockService: a look at the blocks of a store. Lists rows, hands out the bytes of objects, and checks
 * blocks that somebody suspects; what is damaged is quarantined (I7). Decoding for people happens in
 * their client, not here: a server has better things to do.
 */
import type { ConnectRouter } from '@connectrpc/connect';
import { FleetflameError } from '@fleetflame/profile';
import { BlockService, type BlockSchema } from '@fleetflame/proto/store/v1/blocks';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Counter, type Registry } from 'prom-client';
import type { BlockEntry } from '../catalog/block-entry.ts';
import type { BlockPosition, ListedBlock } from '../catalog/catalog.ts';
import type { Store } from '../store.ts';

/** A page of rows: some 200 bytes each on the wire. */
const PAGE_ROWS = 1000;
const MAX_PAGE_ROWS = 10_000;
/** One part of an object; a block is at most some tens of megabytes. */
export const MAX_PART_BYTES = 4 << 20;
/** Blocks are checked one at a time, each held whole and decoded (ten times its stored size); so many may wait. */
const MAX_VERIFIES = 16;

export interface BlocksOptions {
  readonly store: Pick<Store, 'catalog' | 'check' | 'objects' | 'quarantine'>;
  readonly registry: Registry;
}

export interface Blocks {
  /** Adds BlockService. */
  readonly routes: (router: ConnectRouter) => void;
}

export function createBlocks(options: BlocksOptions): Blocks {
  const { store, registry } = options;
  const verified = new Counter({
    name: 'fleetflame_store_verified_blocks_total',
    help: 'Blocks that were checked because somebody asked, by result: sound, damaged, gone, or refused because too many were waiting.',
    labelNames: ['result'],
    registers: [registry],
  });
  let running: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  const find = async (id: string): Promise<ListedBlock> => {
    // What is no id is not put before a database.
    const found = BLOCK_ID.test(id) ? await store.catalog.find(id) : undefined;
    if (found === undefined) {
      throw new FleetflameError(
        'not_found',
        `id: there is no live block ${JSON.stringify(id.slice(0, 64))}; it may have been merged into another since it was listed.`,
        { field: 'id' },
      );
    }
    return found;
  };

  const verify = async (id: string) => {
    const listed = await find(id);
    const problem = await store.check(listed.block);
    if (problem === undefined) {
      verified.inc({ result: 'sound' });
      return { block: blockMessage(listed), problem: '', quarantined: false };
    }
    // A merge may have replaced it while it was read, and its object be gone: then nothing is wrong.
    const still = await store.catalog.find(id);
    if (still === undefined) {
      verified.inc({ result: 'gone' });
      return { block: blockMessage(listed), problem: '', quarantined: false };
    }
    verified.inc({ result: 'damaged' });
    if (still.quarantine === undefined) await store.quarantine(still.block, problem, 'verify');
    return {
      block: blockMessage((await store.catalog.find(id)) ?? still),
      problem,
      quarantined: still.quarantine === undefined,
    };
  };

  const routes = (router: ConnectRouter): void => {
    router.service(BlockService, {
      async list(request) {
        const limit = Math.min(request.limit === 0 ? PAGE_ROWS : request.limit, MAX_PAGE_ROWS);
        const range = {
          fromMs: timeOf(request.fromMs, 'from_ms'),
          toMs: request.toMs === 0n ? Number.MAX_SAFE_INTEGER : timeOf(request.toMs, 'to_ms'),
        };
        const page = await store.catalog.page(range, positionOf(request.pageToken), limit);
        const last = page.length < limit ? undefined : page.at(-1)?.block;
        return { blocks: page.map(blockMessage), nextPageToken: last === undefined ? '' : tokenOf(last) };
      },
      async read(request) {
        if (request.length === 0 || request.length > MAX_PART_BYTES) {
          throw new FleetflameError(
            'invalid_input',
            `length: ${request.length} bytes; a part has 1 to ${MAX_PART_BYTES}.`,
            { field: 'length' },
          );
        }
        const listed = await find(request.id);
        const { key, sizeBytes } = listed.block;
        const offset = Number(request.offset);
        const length = Math.max(0, Math.min(request.length, sizeBytes - offset));
        if (length === 0) return { block: blockMessage(listed) };
        try {
          return { part: await store.objects.range(key, offset, length), block: blockMessage(listed) };
        } catch (error) {
          if (!(error instanceof FleetflameError) || error.code !== 'not_found') throw error;
          // Merged and removed meanwhile, or a row without its object.
          await find(request.id);
          throw new FleetflameError('corrupt_data', `${request.id}: its object is not in object storage.`);
        }
      },
      async verify(request) {
        if (waiting >= MAX_VERIFIES) {
          verified.inc({ result: 'refused' });
          throw new FleetflameError(
            'overloaded',
            `${waiting} blocks wait to be checked, which is the most: try again later.`,
          );
        }
        waiting++;
        const answer = running.then(() => verify(request.id));
        running = answer.catch(() => undefined);
        try {
          return await answer;
        } finally {
          waiting--;
        }
      },
    });
  };
  return { routes };
}

const BLOCK_ID = /^[\w-]{1,64}$/;

function timeOf(ms: bigint, field: string): number {
  if (ms >= 0n && ms <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(ms);
  throw new FleetflameError('invalid_input', `${field} is ${ms}: it is Unix milliseconds, 0 or more.`, {
    field,
  });
}

function blockMessage({ block, quarantine }: ListedBlock): MessageInitShape<typeof BlockSchema> {
  return {
    id: block.id,
    level: block.level,
    timeMinMs: BigInt(block.timeMinMs),
    timeMaxMs: BigInt(block.timeMaxMs),
    sizeBytes: BigInt(block.sizeBytes),
    rows: BigInt(block.rows),
    quarantineReason: quarantine?.reason ?? '',
    quarantinedMs: BigInt(quarantine?.sinceMs ?? 0),
  };
}

function tokenOf({ timeMinMs, id }: BlockEntry): string {
  return `${timeMinMs}.${id}`;
}

function positionOf(token: string): BlockPosition | undefined {
  if (token === '') return undefined;
  const [, time, id] = /^(-?\d{1,16})\.([\w-]{1,64})$/.exec(token) ?? [];
  if (time === undefined || id === undefined) {
    throw new FleetflameError(
      'invalid_input',
      `page_token: ${JSON.stringify(token.slice(0, 80))} is not one that a page ended with.`,
      { field: 'page_token' },
    );
  }
  return { timeMinMs: Number(time), id };
}
