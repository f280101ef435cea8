/**
 * The agents of a simulated fleet: each host sends one batch a window and repeats it, to whichever ingest
 * process, until it is acked. Hosts send side by side, a host's batches one after the other, as agents do.
 */
import { setTimeout } from 'node:timers/promises';
import { Code, ConnectError, createClient, type Client } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { Ledger } from './ledger.ts';
import type { SimulatedBatch, SimulatedFleet } from './simulated-fleet.ts';

/** An agent waits longer; here a fault is over within seconds, and the run should go on. */
const MAX_PAUSE_MS = 1000;
const FIRST_PAUSE_MS = 50;
const CALL_TIMEOUT_MS = 15_000;
/** Acks that percentiles are taken of: the last so many. */
const KEPT_ACKS = 100_000;

export interface WriteOptions {
  /** Base URLs of ingest processes. */
  readonly ingest: readonly string[];
  /** True time of the first window, Unix ms. */
  readonly startMs: number;
  readonly windows: number;
  /** Calls underway at most; a host has at most one. */
  readonly calls: number;
  /** Windows begin at their own time; false: as fast as the store takes them. */
  readonly paced: boolean;
  /** Every so often a batch is sent once more although it was acked. */
  readonly duplicates?: number;
  /** Every second host delivers each pair of its batches in the other order. */
  readonly reordered?: boolean;
  /** Asked before each window: no further one. */
  readonly enough?: () => boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (ledger: Ledger) => void;
  /** Where acks are kept, for those who look at it meanwhile. */
  readonly ledger?: Ledger;
}

export interface WriteResult {
  readonly ledger: Ledger;
  readonly seconds: number;
  /** Ms from the first try to the ack, ascending. */
  readonly ackMs: Float64Array;
  readonly retries: number;
  /** Errors of tries, by code. */
  readonly errors: ReadonlyMap<string, number>;
}

interface Delivery {
  readonly batch: SimulatedBatch;
  readonly agentId: string;
  readonly seq: bigint;
}

interface Host {
  readonly host: number;
  generation: number;
  seq: number;
}

export async function writeFleet(fleet: SimulatedFleet, options: WriteOptions): Promise<WriteResult> {
  return await new FleetWriter(fleet, options).run();
}

class FleetWriter {
  readonly #fleet: SimulatedFleet;
  readonly #options: WriteOptions;
  readonly #clients: readonly Client<typeof IngestService>[];
  readonly #ledger: Ledger;
  readonly #ackMs = new Float64Array(KEPT_ACKS);
  #acks = 0;
  #retries = 0;
  #sent = 0;
  /** Acked a while ago: its next copy arrives behind batches that were sent later. */
  #old: Delivery | undefined;
  readonly #errors = new Map<string, number>();

  constructor(fleet: SimulatedFleet, options: WriteOptions) {
    this.#fleet = fleet;
    this.#options = options;
    this.#ledger = options.ledger ?? new Ledger(fleet);
    this.#clients = options.ingest.map((baseUrl) =>
      createClient(
        IngestService,
        createConnectTransport({
          baseUrl,
          httpVersion: '1.1',
          acceptCompression: [],
          defaultTimeoutMs: CALL_TIMEOUT_MS,
        }),
      ),
    );
  }

  async run(): Promise<WriteResult> {
    const { windows, calls, paced, startMs, signal, enough, onProgress } = this.#options;
    const { hosts, windowMs } = this.#fleet.shape;
    const states: Host[] = Array.from({ length: hosts }, (_, host) => ({ host, generation: 0, seq: 0 }));
    const started = performance.now();
    for (let window = 0; window < windows; window++) {
      if (signal?.aborted === true || enough?.() === true) break;
      const windowStartMs = startMs + window * windowMs;
      const queue = states.values();
      const work = async (): Promise<void> => {
        for (const state of queue) {
          if (signal?.aborted === true) return;
          // A host's batches end at a time of its own, spread over the window.
          const dueMs = windowStartMs + windowMs * (1 + state.host / hosts);
          if (paced && dueMs > Date.now()) await setTimeout(dueMs - Date.now());
          await this.#send(state, window, windowStartMs);
        }
      };
      await Promise.all(Array.from({ length: Math.min(calls, hosts) }, work));
      onProgress?.(this.#ledger);
    }
    const kept = Math.min(this.#acks, KEPT_ACKS);
    return {
      ledger: this.#ledger,
      seconds: (performance.now() - started) / 1000,
      ackMs: this.#ackMs.slice(0, kept).sort(),
      retries: this.#retries,
      errors: this.#errors,
    };
  }

  async #send(state: Host, window: number, startMs: number): Promise<void> {
    const restarts = this.#fleet.restartsBefore(state.host, window);
    if (restarts && window > 0) {
      state.generation++;
      state.seq = 0;
    }
    const batch = this.#fleet.batch(state.host, state.generation, startMs);
    const agentId = `sim-${this.#fleet.shape.seed}-${state.host}-${state.generation}`;
    const { duplicates = 0, reordered = false } = this.#options;
    const number = state.seq++;
    const seq = BigInt(reordered && state.host % 2 === 1 ? number ^ 1 : number);
    // An agent that is about to be killed tries once and never learns what became of it.
    const dies = this.#fleet.restartsBefore(state.host, window + 1);
    const delivery: Delivery = { batch, agentId, seq };
    const acked = await this.#deliver(delivery, dies);
    this.#sent++;
    if (!acked || duplicates === 0 || this.#sent % Math.round(1 / duplicates) !== 0) return;
    await this.#repeat(delivery);
    if (this.#old !== undefined) await this.#repeat(this.#old);
    this.#old = delivery;
  }

  /** False: nobody knows. */
  async #deliver({ batch, agentId, seq }: Delivery, dies: boolean): Promise<boolean> {
    this.#ledger.sending(batch);
    const firstMs = performance.now();
    let pauseMs = FIRST_PAUSE_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#client(batch.host + attempt).write({ agentId, seq, block: batch.block });
        this.#ackMs[this.#acks++ % KEPT_ACKS] = performance.now() - firstMs;
        this.#ledger.acked(batch);
        return true;
      } catch (error) {
        const { code, rawMessage } = ConnectError.from(error);
        this.#errors.set(Code[code], (this.#errors.get(Code[code]) ?? 0) + 1);
        if (code === Code.InvalidArgument || code === Code.OutOfRange) {
          throw new Error(`a batch was refused for good: ${rawMessage}`, { cause: error });
        }
        if (dies || this.#options.signal?.aborted === true) {
          this.#ledger.unknown(batch);
          return false;
        }
        this.#retries++;
        await setTimeout(pauseMs);
        pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
      }
    }
  }

  /** A late copy of an acked batch, as a network may deliver it; whether it arrives does not matter. */
  async #repeat({ batch, agentId, seq }: Delivery): Promise<void> {
    try {
      await this.#client(batch.host + 1).write({ agentId, seq, block: batch.block });
    } catch (error) {
      const { code } = ConnectError.from(error);
      this.#errors.set(Code[code], (this.#errors.get(Code[code]) ?? 0) + 1);
    }
  }

  #client(number: number): Client<typeof IngestService> {
    const client = this.#clients[number % this.#clients.length];
    if (client === undefined) throw new Error('there is no ingest URL');
    return client;
  }
}
