/** Agents that write until they are stopped, and what of it was acked: each has a service of its own. */
import type { Client } from '@connectrpc/connect';
import { BlockBuilder, bytesSource, encodeBlock, readFooter } from '@fleetflame/profile';
import type { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import type { OfflineStore } from '@fleetflame/store';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const WRITERS = 6;
const HOUR_MS = 3_600_000;
/** Between batches of a writer: dozens of them fill windows that are over, and so are merged and rolled up at once. */
const STEP_MS = 20_000;
const STEPS = HOUR_MS / STEP_MS;

type Ingest = Client<typeof IngestService>;

interface Batch {
  readonly seq: number;
  readonly value: number;
  readonly bytes: Uint8Array;
}

export class Writers {
  /** Sums by service. */
  readonly acked = new Map<string, number>();
  /** An hour of samples from here on. */
  readonly #startMs = Math.floor((Date.now() - 3 * HOUR_MS) / HOUR_MS) * HOUR_MS;
  /** Sent, and not answered: the same is sent again, as an agent does. */
  readonly #unanswered = new Map<string, Batch>();
  readonly #seqs = new Map<string, number>();
  #stopped = false;
  #acks = 0;

  /** Until `stop`, or until nobody answers. */
  async write(ingests: readonly Ingest[]): Promise<void> {
    this.#stopped = false;
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, index) => {
        const ingest = ingests[index % ingests.length];
        if (ingest === undefined) throw new Error('nobody takes batches');
        const service = `writer${index}`;
        while (!this.#stopped && (await this.#send(ingest, service, this.#next(service))));
      }),
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  get acks(): number {
    return this.#acks;
  }

  /** What got no answer, again. */
  async resend(ingest: Ingest): Promise<void> {
    for (const [service, batch] of this.#unanswered) {
      if (!(await this.#send(ingest, service, batch))) throw new Error(`a batch of ${service} was not taken`);
    }
  }

  async #send(ingest: Ingest, service: string, batch: Batch): Promise<boolean> {
    this.#unanswered.set(service, batch);
    try {
      await ingest.write({ agentId: service, seq: BigInt(batch.seq), block: batch.bytes });
    } catch {
      return false;
    }
    this.#unanswered.delete(service);
    this.acked.set(service, (this.acked.get(service) ?? 0) + batch.value);
    this.#acks++;
    return true;
  }

  #next(service: string): Batch {
    const again = this.#unanswered.get(service);
    if (again !== undefined) return again;
    const seq = (this.#seqs.get(service) ?? 0) + 1;
    this.#seqs.set(service, seq);
    const value = 1000 + seq;
    const builder = new BlockBuilder();
    const name = builder.string(`handler_${seq % 7}`);
    const fn = builder.function(name, name, builder.string('main.c'), 1);
    const stack = builder.stack(0, builder.location(0, 0, 0, [fn, 1]));
    const series = builder.series(CPU, 1, { service_name: service, host_name: `host-${seq % 3}` });
    builder.add(series, stack, this.#startMs + (seq % STEPS) * STEP_MS, value);
    return { seq, value, bytes: encodeBlock(builder.build()) };
  }
}

/** Sums by service. */
type Sums = ReadonlyMap<string, number>;

/** What a store holds, by what its blocks' footers say. */
export async function sumsOfStore({ objects, catalog }: OfflineStore): Promise<{
  /** Of raw blocks. */
  readonly raw: Sums;
  /** Of those of them that say that they are in rollups. */
  readonly rolledUp: Sums;
  /** Of rollups. */
  readonly rollups: Sums;
  readonly quarantined: number;
}> {
  const sums = { raw: new Map<string, number>(), rolledUp: new Map(), rollups: new Map() };
  let quarantined = 0;
  const range = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
  for (const { block, quarantine } of await catalog.page(range, undefined, 1_000_000)) {
    if (quarantine !== undefined) {
      quarantined++;
      continue;
    }
    const { datasets } = await readFooter(bytesSource(await objects.get(block.key)));
    const into =
      block.resolutionMs > 0 ? [sums.rollups] : block.rolledUp ? [sums.raw, sums.rolledUp] : [sums.raw];
    for (const { serviceName, total } of datasets) {
      for (const sum of into) sum.set(serviceName, (sum.get(serviceName) ?? 0) + Number(total));
    }
  }
  return { ...sums, quarantined };
}
