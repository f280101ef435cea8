/**
 * Where a block comes from, kept in its footer: what the catalog knows of it and its tables do not say. With the origins
 * of all objects a catalog can be made again: which of them count, which were replaced by others, and which batches are
 * in them (adoption/).
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FleetflameError, readFooter, type RangeSource } from '@fleetflame/profile';
import type { Footer } from '@fleetflame/proto/block/v1/footer';
import { OriginSchema } from '@fleetflame/proto/block/v1/origin';
import { blockCreatedMs } from '../block-id.ts';
import type { BlockPlace } from '../seal-block.ts';
import { BatchRanges } from './batch-ranges.ts';

export interface Origin {
  readonly place: BlockPlace;
  /** Undefined: it is a segment. */
  readonly work: Work | undefined;
  readonly batches: BatchRanges;
}

/** What made a block of others: all its outputs count, or none. */
export interface Work {
  readonly id: string;
  readonly outputs: number;
  readonly inputs: readonly string[];
  /** The inputs count beside the outputs, which are their rollups. */
  readonly beside: boolean;
  /** What had been replaced by the inputs, and by their inputs, not long before. */
  readonly replaced: readonly Replaced[];
}

export interface Replaced {
  readonly id: string;
  /** Unix ms; as far as it is known: not before it was written. */
  readonly atMs: number;
}

/** Of one origin, inflated: far more than a day of 10,000 agents. */
const MAX_BYTES = 64 << 20;

export function encodeOrigin({ place, work, batches }: Origin): Uint8Array {
  const { level, tenant, shard, shards, resolutionMs, rolledUp, droppedLabels } = place;
  const message = create(OriginSchema, {
    level,
    tenant,
    shard,
    shards,
    resolutionMs: BigInt(resolutionMs),
    rolledUp,
    droppedLabels: [...droppedLabels],
    batches: batches.toMessages(),
    ...(work === undefined
      ? {}
      : {
          work: work.id,
          outputs: work.outputs,
          inputs: [...work.inputs],
          beside: work.beside,
          replaced: work.replaced.map(({ id }) => id),
          replacedMs: work.replaced.map(({ atMs }) => BigInt(Math.trunc(atMs))),
        }),
  });
  return zstdCompressSync(toBinary(OriginSchema, message));
}

/** Undefined: the block was written before there were origins. Throws corrupt_data. */
export function decodeOrigin({ origin }: Pick<Footer, 'origin'>): Origin | undefined {
  if (origin.length === 0) return undefined;
  let message;
  try {
    message = fromBinary(OriginSchema, zstdDecompressSync(origin, { maxOutputLength: MAX_BYTES }));
  } catch (cause) {
    throw new FleetflameError('corrupt_data', `footer.origin: it cannot be read (${String(cause)})`, {
      field: 'footer.origin',
      cause,
    });
  }
  const { level, tenant, shard, shards, resolutionMs, rolledUp, droppedLabels } = message;
  const { work, outputs, inputs, beside, replacedMs } = message;
  const replaced = message.replaced.map((id, at) => ({
    id,
    atMs: Number(replacedMs[at] ?? blockCreatedMs(id)),
  }));
  return {
    place: { level, tenant, shard, shards, resolutionMs: Number(resolutionMs), rolledUp, droppedLabels },
    work: work === '' ? undefined : { id: work, outputs, inputs, beside, replaced },
    batches: BatchRanges.fromMessages(message.batches),
  };
}

export async function readOrigin(source: RangeSource): Promise<Origin | undefined> {
  return decodeOrigin(await readFooter(source));
}
