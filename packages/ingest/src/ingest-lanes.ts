/**
 * Which worker takes a batch.
 *
 *   service or agent ── hash ──▶ lane 0 … lane n-1     as many of the workers as the load needs: one object is
 *                                                      written a second and lane, so an idle fleet costs one
 *   heavy batch ───────────────▶ the heavy lane        what would hold others up waits behind its like only
 *
 * The same service goes to the same lane while their number stays, so that its names, functions and stacks
 * are interned there already.
 */
import { IngestLane, type LaneBatch, type LaneOptions } from './ingest-lane.ts';
import type { BatchInput } from './worker/messages.ts';
import { TooHeavy } from './worker/ingest-thread.ts';

/** Another lane is opened when what waits in those that are open would take them longer than this. */
const CROWDED_SECONDS = 0.1;
/** Lanes that were not crowded for so long are closed one by one. */
const QUIET_MS = 60_000;

export interface PlacedBatch extends LaneBatch {
  readonly lane: IngestLane;
}

export class IngestLanes {
  readonly #options: Omit<LaneOptions, 'heavy'>;
  readonly #lanes: IngestLane[] = [];
  readonly #heavy: IngestLane;
  /** Lanes that get batches. */
  #open = 1;
  #crowdedMs = 0;

  constructor(options: Omit<LaneOptions, 'heavy'>) {
    this.#options = options;
    this.#lanes.push(new IngestLane({ ...options, heavy: false }));
    this.#heavy = new IngestLane({ ...options, heavy: true });
  }

  get all(): readonly IngestLane[] {
    return [...this.#lanes, this.#heavy];
  }

  get open(): number {
    return this.#open;
  }

  get pending(): { readonly batches: number; readonly bytes: number } {
    const sum = { batches: 0, bytes: 0 };
    for (const { taking, takingBytes, segments } of this.all) {
      sum.batches += taking + segments.pending.batches;
      sum.bytes += takingBytes + segments.pending.bytes;
    }
    return sum;
  }

  /** Bytes that wait for the worker of heavy batches. */
  get heavyBytes(): number {
    return this.#heavy.takingBytes;
  }

  isHeavy(bytes: Uint8Array): boolean {
    const { heavyBytes, heavyInflatedBytes } = this.#options.limits;
    return bytes.length > heavyBytes || gzipContentBytes(bytes) > heavyInflatedBytes;
  }

  /** `route`: what the batches that share names have in common. */
  async take(route: string, input: BatchInput, heavy: boolean): Promise<PlacedBatch> {
    if (heavy) return place(this.#heavy, input);
    const lane = this.#laneOf(route);
    try {
      return await place(lane, input);
    } catch (error) {
      if (!(error instanceof TooHeavy)) throw error;
      return place(this.#heavy, { ...input, bytes: error.bytes });
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((lane) => lane.close()));
  }

  #laneOf(route: string): IngestLane {
    const lanes = this.#lanes;
    const nowMs = Date.now();
    const crowded = lanes.slice(0, this.#open).every((lane) => lane.waitSeconds > CROWDED_SECONDS);
    if (crowded) {
      this.#crowdedMs = nowMs;
      if (this.#open < this.#options.limits.workers) this.#open++;
    } else if (this.#open > 1 && nowMs - this.#crowdedMs > QUIET_MS) {
      this.#crowdedMs = nowMs;
      this.#open--;
    }
    while (lanes.length < this.#open) lanes.push(new IngestLane({ ...this.#options, heavy: false }));
    return lanes[hashText(route) % this.#open]!;
  }
}

async function place(lane: IngestLane, input: BatchInput): Promise<PlacedBatch> {
  return { ...(await lane.take(input)), lane };
}

/** What a gzip file says it holds, modulo 2^32, in its last four bytes: a hint. */
function gzipContentBytes(bytes: Uint8Array): number {
  if (bytes.length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
