import { decodeBlock, FleetflameError } from '@fleetflame/profile';
import type { BlockEntry } from '../catalog/block-entry.ts';
import { isDamage } from '../damage.ts';
import type { ObjectStore, ObjectStoreConfig } from '../objects/object-store.ts';
import type { TaskFailure } from '../threads/task-failure.ts';

export interface CheckRequest {
  readonly objects: ObjectStoreConfig;
  readonly entry: BlockEntry;
}

export type CheckReply =
  | {
      readonly ok: true;
      /** Why the block is not sound; undefined: it is. */
      readonly problem: string | undefined;
    }
  | TaskFailure;

/** Reads and decodes all of a block. */
export async function runCheck({ entry }: CheckRequest, objects: ObjectStore): Promise<CheckReply> {
  try {
    const bytes = await objects.get(entry.key);
    if (bytes.length !== entry.sizeBytes) {
      return {
        ok: true,
        problem: `its object has ${bytes.length} bytes, the catalog says ${entry.sizeBytes}`,
      };
    }
    const { samples } = decodeBlock(bytes);
    const isWhole = samples.length === entry.rows;
    const problem = isWhole
      ? undefined
      : `it has ${samples.length} sample rows, the catalog says ${entry.rows}`;
    return { ok: true, problem };
  } catch (error) {
    if (error instanceof FleetflameError && isDamage(error.code)) return { ok: true, problem: error.message };
    const code = error instanceof FleetflameError ? error.code : 'internal';
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, code, message, inputId: entry.id };
  }
}
