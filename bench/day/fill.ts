/** Writes days of batches as time would have: commits in order, and the store's own maintenance after each. */
import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBlock, type Block } from '@fleetflame/profile';
import { Store } from '@fleetflame/store';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { batchAt, type HostKind } from './day-batches.ts';

export const WINDOW_MS = 10_000;
/** Between the end of a batch's window and its commit. */
const ARRIVAL_MS = 1000;
const RETENTION_MS = 7 * 86_400_000;

/** A store with a clock that is moved by hand, and the batches that arrive in it. */
export class DayStore {
  readonly store: Store;
  readonly registry: Registry;
  readonly #clock: { nowMs: number };
  readonly #captured: readonly Block[];
  readonly #kind: HostKind;

  private constructor(
    store: Store,
    registry: Registry,
    clock: { nowMs: number },
    captured: readonly Block[],
    kind: HostKind,
  ) {
    this.#kind = kind;
    this.store = store;
    this.registry = registry;
    this.#clock = clock;
    this.#captured = captured;
  }

  static async open(dataDir: string, capturedDir: string, nowMs: number, kind: HostKind): Promise<DayStore> {
    const clock = { nowMs };
    const registry = new Registry();
    const log = pino({ level: 'warn' }, pino.destination(2));
    const store = await Store.open({
      dataDir,
      retentionMs: RETENTION_MS,
      log,
      registry,
      now: () => clock.nowMs,
    });
    return new DayStore(store, registry, clock, await readCaptured(capturedDir), kind);
  }

  get nowMs(): number {
    return this.#clock.nowMs;
  }

  /** Ten seconds pass: a batch arrives, and maintenance does what is due, to its end. */
  async tick(): Promise<void> {
    this.#clock.nowMs += WINDOW_MS;
    const startMs = this.nowMs - ARRIVAL_MS - WINDOW_MS;
    const block = batchAt(this.#captured, startMs, this.#kind);
    await this.store.commitSegment({ block, batches: [{ agentId: 'day', seq: BigInt(startMs) }] });
    await this.store.maintain();
  }
}

async function readCaptured(directory: string): Promise<Block[]> {
  const names = (await readdir(join(directory, 'batches'))).sort();
  return Promise.all(
    names.map(async (name) => decodeBlock(await readFile(join(directory, 'batches', name)))),
  );
}

/** The day before `nowMs`, and whatever of the time before it blocks with a part of the day would hold. */
export async function fillDay(
  dataDir: string,
  capturedDir: string,
  nowMs: number,
  hours: number,
  kind: HostKind,
): Promise<string> {
  const day = await DayStore.open(dataDir, capturedDir, nowMs - hours * 3_600_000, kind);
  try {
    while (day.nowMs < nowMs) await day.tick();
    await cp(join(capturedDir, 'objects'), join(dataDir, 'objects'), { recursive: true });
    return await day.registry.metrics();
  } finally {
    await day.store.close();
  }
}
