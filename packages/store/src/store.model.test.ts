/**
 * Histories of writes, retries, clocks, maintenance, failures and crashes against the real engines.
 * After every step the store must answer with every acked batch once, and with no other batch more
 * than once (I1 to I5); at the end, when everything was retried, the sums are exact.
 */
import { join } from 'node:path';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { BatchId } from './catalog/block-entry.ts';
import { openCatalog } from './catalog/open-catalog.ts';
import { runMerge, type MergeRunner } from './compaction/merge-task.ts';
import { DELETED_GRACE_MS } from './maintenance/remover.ts';
import { ORPHAN_GRACE_MS } from './maintenance/sweeper.ts';
import { DirectoryObjectStore } from './objects/directory-object-store.ts';
import { Store } from './store.ts';
import { Fuse, fusedCatalog, fusedObjects } from './testing/faulty-parts.ts';
import { BATCH_SUM, batchBlock, sumsByFunction } from './testing/test-blocks.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';
import { mergeBlocks } from '@fleetflame/profile';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Step =
  /** A segment of new batches, and so many of those that were not acked; its own ack may be lost. */
  | {
      readonly kind: 'write';
      readonly fresh: number;
      readonly retries: number;
      readonly ageMs: number;
      readonly loseAck: boolean;
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'maintain' }
  /** The operation that is `steps` away fails. */
  | { readonly kind: 'fault'; readonly fault: 'glitch' | 'crash'; readonly steps: number }
  | { readonly kind: 'reopen' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      fresh: fc.integer({ min: 1, max: 3 }),
      retries: fc.integer({ min: 0, max: 3 }),
      ageMs: fc.constantFrom(0, 5000, 50_000, 2 * HOUR, 2 * DAY),
      loseAck: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1000, 30_000, 2 * MINUTE, 20 * MINUTE, 2 * HOUR, DAY),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('maintain' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      fault: fc.constantFrom('glitch' as const, 'crash' as const),
      // A write is four operations, a round of maintenance dozens.
      steps: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 40 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
);

/** One data directory and what the outside world knows about it. */
class World {
  readonly acked = new Set<string>();
  readonly unacked = new Map<string, { readonly id: BatchId; readonly timeMs: number }>();
  nowMs = Date.now();
  #next = 0;
  #fuse = new Fuse();
  #store: Store | undefined;
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  get store(): Store {
    if (this.#store === undefined) throw new Error('not open');
    return this.#store;
  }

  async open(): Promise<void> {
    const fuse = new Fuse();
    const objects = await DirectoryObjectStore.create(join(this.#dataDir, 'objects'));
    const catalog = await openCatalog({ engine: 'sqlite', path: join(this.#dataDir, 'catalog.db') });
    const faultyObjects = fusedObjects(objects, fuse);
    const merges: MergeRunner = {
      run: (request) => runMerge(request, faultyObjects),
      close: () => Promise.resolve(),
    };
    this.#fuse = fuse;
    this.#store = new Store(
      {
        retentionMs: 60 * DAY,
        log: pino({ level: 'silent' }),
        registry: new Registry(),
        now: () => this.nowMs,
      },
      {
        objects: faultyObjects,
        objectsConfig: { engine: 'directory', root: objects.root },
        catalog: fusedCatalog(catalog, fuse),
        merges,
        release: () => undefined,
      },
    );
  }

  async reopen(): Promise<void> {
    await this.store.close();
    await this.open();
  }

  async run(step: Step): Promise<void> {
    if (step.kind === 'wait') this.nowMs += step.ms;
    else if (step.kind === 'fault') this.#fuse.arm(step.fault, step.steps);
    else if (step.kind === 'reopen') await this.reopen();
    else if (step.kind === 'maintain') await this.store.maintain();
    else await this.write(step);
    if (this.#fuse.crashed) await this.reopen();
  }

  /** As ingest does: a segment that holds known batches is built again without them. */
  async write({
    fresh,
    retries,
    ageMs,
    loseAck,
  }: Omit<Extract<Step, { kind: 'write' }>, 'kind'>): Promise<void> {
    const names = [...this.unacked.keys()].slice(0, retries);
    for (let i = 0; i < fresh; i++) {
      const name = `batch-${this.#next}`;
      const id = { agentId: `agent-${this.#next % 3}`, seq: BigInt(this.#next++) };
      this.unacked.set(name, { id, timeMs: this.nowMs - ageMs });
      names.push(name);
    }
    let left = names;
    while (left.length > 0) {
      const batches = left.map((name) => this.unacked.get(name)!);
      const block = mergeBlocks(left.map((name, i) => batchBlock(name, batches[i]!.timeMs)));
      let result;
      try {
        result = await this.store.commitSegment({ block, batches: batches.map((batch) => batch.id) });
      } catch {
        return;
      }
      if (loseAck) return;
      const repeated = new Set(result.committed ? [] : result.duplicates.map((id) => id.seq));
      const done = left.filter((_, i) => result.committed || repeated.has(batches[i]!.id.seq));
      for (const name of done) {
        this.unacked.delete(name);
        this.acked.add(name);
      }
      left = left.filter((name) => !done.includes(name));
    }
  }

  /** The fault that was to come does not. */
  disarm(): void {
    this.#fuse.disarm();
  }

  /** What is wrong with what the store answers now. */
  async problems(): Promise<string[]> {
    this.disarm();
    const sums = await sumsByFunction(this.store);
    const problems: string[] = [];
    for (const name of this.acked) if (!sums.has(name)) problems.push(`${name} was acked and is gone`);
    for (const [name, sum] of sums) if (sum !== BATCH_SUM) problems.push(`${name} counts ${sum}`);
    const { quarantined, tasks } = await this.store.status();
    if (quarantined > 0) problems.push(`${quarantined} blocks are quarantined`);
    for (const task of tasks) {
      if (task.lastError !== undefined && !task.lastError.includes('injected')) problems.push(task.lastError);
    }
    return problems;
  }

  /** Long after the last write, nothing but the live blocks may be left. */
  async settle(): Promise<void> {
    for (const ms of [0, 2 * ORPHAN_GRACE_MS, 3 * DAY, DELETED_GRACE_MS + MINUTE, HOUR]) {
      this.nowMs += ms;
      await this.store.maintain();
      await this.store.maintain();
    }
  }
}

test('any history of writes, waits, maintenance, failures and crashes: acked is there, once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      using directory = temporaryDirectory();
      const world = new World(directory.path);
      await world.open();
      for (const [index, step] of steps.entries()) {
        await world.run(step);
        const problems = step.kind === 'wait' || step.kind === 'fault' ? [] : await world.problems();
        expect({ index, problems }).toEqual({ index, problems: [] });
      }
      world.disarm();
      await world.write({ fresh: 0, retries: Infinity, ageMs: 0, loseAck: false });
      expect(world.unacked.size).toBe(0);
      await world.settle();
      expect(await world.problems()).toEqual([]);
      expect((await sumsByFunction(world.store)).size).toBe(world.acked.size);
      const { levels, deleted } = await world.store.status();
      const live = levels.reduce((sum, level) => sum + level.blocks, 0);
      expect(await world.store.objects.list('blocks/')).toHaveLength(live + deleted.blocks);
      expect(levels.every((level) => level.level === 5)).toBe(true);
      await world.store.close();
    }),
    { numRuns: Number(process.env['FLEETFLAME_RUNS'] ?? 25) },
  );
});
