/** One merge, as the worker thread runs it: read, merge, write. The caller swaps the rows. */
import { decodeBlock, FleetflameError, giveBackBlock, type Block } from '@fleetflame/profile';
import type { BlockEntry } from '../catalog/block-entry.ts';
import type { ObjectStore, ObjectStoreConfig } from '../objects/object-store.ts';
import type { Origin } from '../origin/origin.ts';
import { originOfWork } from '../origin/origin-of-work.ts';
import { sealBlock } from '../seal-block.ts';
import type { TaskFailure } from '../threads/task-failure.ts';
import { eraseLabel, type LabelValue } from './erase-label.ts';
import { mergeIntoWindows } from './merge-windows.ts';
import { rollUpBlock, type RollupShape } from './rollup-block.ts';

export interface MergeRequest {
  readonly objects: ObjectStoreConfig;
  readonly inputs: readonly BlockEntry[];
  /** Decides which windows are over. */
  readonly nowMs: number;
  /** The tenant's shards: every output holds one of them. */
  readonly shards: number;
  /** Undefined: the resolution stays. */
  readonly rollUp: RollupShape | undefined;
  /** Undefined: nothing is erased. With it there is one input. */
  readonly erase: LabelValue | undefined;
}

export type MergeReply =
  | {
      readonly ok: true;
      readonly outputs: readonly BlockEntry[];
      /** What was erased; undefined: nothing had to be, and there is no output. */
      readonly erased: Erased | undefined;
    }
  | TaskFailure;

export interface Erased {
  /** As `sumDatasets` names them. */
  readonly sums: ReadonlyMap<string, bigint>;
  readonly rows: number;
}

/** Who runs merges: a thread, or in tests the caller itself. */
export interface MergeRunner {
  run(request: MergeRequest): Promise<MergeReply>;
  /** A running merge is given up: it ends with code `cancelled`. */
  close(): Promise<void>;
}

export async function runMerge(request: MergeRequest, objects: ObjectStore): Promise<MergeReply> {
  let inputId: string | undefined;
  try {
    const blocks: Block[] = [];
    const objectBytes: Uint8Array[] = [];
    for (const input of request.inputs) {
      inputId = input.id;
      const bytes = await objects.get(input.key);
      objectBytes.push(bytes);
      const block = decodeBlock(bytes);
      blocks.push(request.rollUp === undefined ? block : rollUpBlock(block, request.rollUp));
    }
    inputId = undefined;
    const beside = request.rollUp !== undefined;
    const originOf = await originOfWork(request.inputs, objectBytes, { nowMs: request.nowMs, beside });
    if (request.erase !== undefined) return await erase(request, request.erase, objects, blocks, originOf);
    return { ok: true, outputs: await writeOutputs(request, objects, blocks, originOf), erased: undefined };
  } catch (error) {
    const code = error instanceof FleetflameError ? error.code : 'internal';
    return { ok: false, code, message: error instanceof Error ? error.message : String(error), inputId };
  }
}

/** Of the output `index` of so many. */
type OriginOf = (index: number, outputs: number) => Omit<Origin, 'place'>;

/** The block stays where it belongs, whatever its windows are by now. */
async function erase(
  { inputs, nowMs }: MergeRequest,
  label: LabelValue,
  objects: ObjectStore,
  blocks: readonly Block[],
  originOf: OriginOf,
): Promise<MergeReply> {
  const [entry] = inputs;
  const [block] = blocks;
  if (entry === undefined || block === undefined || inputs.length > 1) {
    throw new Error('data is erased from one block at a time');
  }
  const found = eraseLabel(block, label);
  if (found === undefined) return { ok: true, outputs: [], erased: undefined };
  const erased = { sums: found.removed, rows: found.removedRows };
  if (found.block.samples.length === 0 && found.block.losses.size === 0)
    return { ok: true, outputs: [], erased };
  const { level, tenant, shard, shards, resolutionMs, rolledUp, droppedLabels } = entry;
  const place = { level, tenant, shard, shards, resolutionMs, rolledUp, droppedLabels };
  const sealed = sealBlock(found.block, place, nowMs, originOf(0, 1));
  await objects.put(sealed.entry.key, sealed.bytes);
  return { ok: true, outputs: [sealed.entry], erased };
}

async function writeOutputs(
  { inputs, nowMs, shards, rollUp }: MergeRequest,
  objects: ObjectStore,
  blocks: readonly Block[],
  originOf: OriginOf,
): Promise<BlockEntry[]> {
  const [first] = inputs;
  if (first === undefined) throw new Error('a merge without inputs');
  const { tenant } = first;
  const resolutionMs = rollUp?.resolutionMs ?? first.resolutionMs;
  const rolledUp = rollUp === undefined && first.rolledUp;
  const dropped = inputs.flatMap((input) => input.droppedLabels).concat(rollUp?.dropLabels ?? []);
  const droppedLabels = [...new Set(dropped)].toSorted();
  // Inputs of one shard have nothing for the others.
  const only = inputs.every((input) => input.shards === shards) ? first.shard : undefined;
  const outputs: BlockEntry[] = [];
  const windows = mergeIntoWindows(blocks, { nowMs, tenant, shards, only });
  // A store that is written to merges all the time: what the collector would find later is most of its memory.
  blocks.forEach(giveBackBlock);
  for (const [index, { window, shard, block }] of windows.entries()) {
    const place = { level: window.level, tenant, shard, shards, resolutionMs, rolledUp, droppedLabels };
    const sealed = sealBlock(block, place, nowMs, originOf(index, windows.length));
    await objects.put(sealed.entry.key, sealed.bytes);
    outputs.push(sealed.entry);
    giveBackBlock(block);
  }
  return outputs;
}
