/**
 * Histories of several processes on one catalog and one object store: writes, retries, clocks,
 * maintenance, strangers who use numbers of others, failures, crashes and processes that stand still in the middle of anything and go on
 * much later. After every step the store must answer with every acked batch once, and with no other
 * batch more than once (I1 to I5); what was read before is still readable for as long as it may be (I6);
 * nothing is quarantined (I7); a clock that is set wrong changes none of that; at the end, when everything was retried, the sums are exact and no
 * object is left over (I3).
 *
 * `FLEETFLAME_LONG=1` is ten minutes; a failure prints its seed and the shortest history that fails.
 */
import { scaled } from '@fleetflame/testing';
import { mergeBlocks, readBlock } from '@fleetflame/profile';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { BatchId, BlockEntry } from './catalog/block-entry.ts';
import type { Catalog } from './catalog/catalog.ts';
import { openCatalog } from './catalog/open-catalog.ts';
import { runMerge, type MergeRunner } from './compaction/merge-task.ts';
import { DELETED_GRACE_MS, SNAPSHOT_MAX_MS } from './maintenance/remover.ts';
import { ORPHAN_GRACE_MS } from './maintenance/sweeper.ts';
import { Store, type Snapshot } from './store.ts';
import { Fuse, fusedCatalog, fusedObjects, type FaultKind } from './testing/faulty-parts.ts';
import { MemoryCatalog } from './testing/memory-catalog.ts';
import { MemoryObjectStore } from './testing/memory-object-store.ts';
import { BATCH_SUM, batchBlock, sumsOfBlock } from './testing/test-blocks.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** How wrong a clock is at most. */
const AHEAD_MS = 10 * DAY;
/** The catalog in memory holds the contract of the others, and takes a sixth of the time of SQLite. */
const RUNS = { memory: scaled(1000), sqlite: scaled(40) } as const;
type Engine = keyof typeof RUNS;
const PROCESSES = 3;
/** As ingest's batchAgeMs and futureMs. */
const BATCH_AGE_MS = 25 * HOUR;
const FUTURE_MS = 10 * MINUTE;
const ALL = { fromMs: Number.MIN_SAFE_INTEGER, toMs: Number.MAX_SAFE_INTEGER };
const SERVICES = ['api', 'web', 'db'];

type Step =
  /** A segment of new batches, and so many of those that were not acked; its own ack may be lost. */
  | {
      readonly kind: 'write';
      readonly process: number;
      readonly fresh: number;
      readonly retries: number;
      readonly ageMs: number;
      readonly loseAck: boolean;
    }
  /** Somebody uses the numbers of a batch that is underway, or of the next one, for something of his own. */
  | { readonly kind: 'steal'; readonly process: number; readonly next: boolean }
  | { readonly kind: 'wait'; readonly ms: number }
  /** These processes do a round at the same time. */
  | { readonly kind: 'maintain'; readonly processes: readonly number[] }
  /** In this process the operation that is `steps` away fails. */
  | { readonly kind: 'fault'; readonly process: number; readonly fault: FaultKind; readonly steps: number }
  /** What stood still goes on. */
  | { readonly kind: 'resume'; readonly process: number }
  | { readonly kind: 'restart'; readonly process: number }
  /** A query begins; it reads as long as it may. */
  | { readonly kind: 'snapshot' }
  /** The clock that all believe is set, to the right time or another. */
  | { readonly kind: 'clock'; readonly aheadMs: number };

const anyProcess = fc.integer({ min: 0, max: PROCESSES - 1 });
const kind = <K extends Step['kind']>(name: K) => fc.constant(name);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: kind('write'),
      process: anyProcess,
      fresh: fc.integer({ min: 1, max: 3 }),
      retries: fc.integer({ min: 0, max: 3 }),
      ageMs: fc.constantFrom(0, 5000, 50_000, 2 * HOUR, 20 * HOUR),
      loseAck: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('steal'), process: anyProcess, next: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind('wait'),
      ms: fc.constantFrom(1000, 30_000, 2 * MINUTE, 20 * MINUTE, 2 * HOUR, DAY),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('maintain'),
      processes: fc.uniqueArray(anyProcess, { minLength: 1, maxLength: PROCESSES }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind('fault'),
      process: anyProcess,
      fault: fc.constantFrom('glitch' as const, 'crash' as const, 'stall' as const),
      // A write is four operations, a round of maintenance dozens.
      steps: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 60 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('resume'), process: anyProcess }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('restart'), process: anyProcess }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('snapshot') }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('clock'), aheadMs: fc.constantFrom(0, 2 * HOUR, AHEAD_MS, -AHEAD_MS) }),
  },
);

interface Process {
  readonly fuse: Fuse;
  readonly store: Store;
  /** What stands still in it, or has not been waited for. */
  readonly underway: Set<Promise<void>>;
}

/** The processes, what they share, and what the outside world knows. */
class World {
  readonly acked = new Set<string>();
  readonly unacked = new Map<string, { readonly id: BatchId; readonly timeMs: number }>();
  readonly objects = new MemoryObjectStore(() => this.nowMs + this.aheadMs);
  /** The time that is; what the clock says is `aheadMs` later. */
  nowMs = Date.UTC(2026, 10, 22, 12);
  aheadMs = 0;
  readonly #catalog: Catalog;
  readonly #processes: Process[] = [];
  /** Looks on, and never fails. */
  readonly #observer: Process;
  /** I4: what a block holds, once read, is true for ever. */
  readonly #sums = new Map<string, ReadonlyMap<string, number>>();
  readonly #reads: { readonly snapshot: Snapshot; readonly untilMs: number }[] = [];
  #next = 0;
  #fresh = 0;
  #strangers = 0;
  /** Something was sent, perhaps stored, never acked, and not sent again: nothing proves that it is to go. */
  #gaveUp = false;

  private constructor(catalog: Catalog) {
    this.#catalog = catalog;
    this.#observer = this.#start();
    for (let process = 0; process < PROCESSES; process++) this.#processes.push(this.#start());
  }

  static async create(engine: Engine): Promise<World> {
    const isSqlite = engine === 'sqlite';
    return new World(isSqlite ? await openCatalog({ engine, path: ':memory:' }) : new MemoryCatalog());
  }

  get store(): Store {
    return this.#observer.store;
  }

  #start(): Process {
    const fuse = new Fuse();
    const objects = fusedObjects(this.objects, fuse);
    const merges: MergeRunner = {
      run: (request) => runMerge(request, objects),
      close: () => Promise.resolve(),
    };
    const log = pino({ level: 'silent' });
    const now = () => this.nowMs + this.aheadMs;
    const elapsedMs = () => this.nowMs;
    const store = new Store(
      { retentionMs: 60 * DAY, log, registry: new Registry(), now, elapsedMs, shards: 2 },
      {
        objects,
        objectsConfig: { engine: 'directory', root: '' },
        catalog: fusedCatalog(this.#catalog, fuse),
        merges,
        release: () => undefined,
      },
    );
    return { fuse, store, underway: new Set() };
  }

  async run(step: Step): Promise<void> {
    if (step.kind === 'wait') this.nowMs += step.ms;
    else if (step.kind === 'clock') this.aheadMs = step.aheadMs;
    else if (step.kind === 'fault') this.#processes[step.process]!.fuse.arm(step.fault, step.steps);
    else if (step.kind === 'resume') await this.#resume(step.process);
    else if (step.kind === 'restart') await this.#restart(step.process);
    else if (step.kind === 'maintain') {
      await Promise.all(step.processes.map((process) => this.#do(process, ({ store }) => store.maintain())));
    } else if (step.kind === 'snapshot') {
      const snapshot = await this.store.snapshot(ALL);
      // The observer's pins are its own: nobody who removes objects knows of them.
      this.#reads.push({ snapshot, untilMs: this.nowMs + SNAPSHOT_MAX_MS });
    } else if (step.kind === 'steal') {
      await this.#do(step.process, ({ store }) => this.steal(store, step.next));
    } else await this.#do(step.process, ({ store }) => this.write(store, step));
    for (const [index, process] of this.#processes.entries()) {
      if (process.fuse.crashed) await this.#restart(index);
    }
  }

  /** Until it is done or stands still. */
  async #do(index: number, work: (process: Process) => Promise<void>): Promise<void> {
    const process = this.#processes[index]!;
    const done = work(process).finally(() => process.underway.delete(done));
    process.underway.add(done);
    await Promise.race([done, process.fuse.stalled]);
  }

  async #resume(index: number): Promise<void> {
    const { fuse, underway } = this.#processes[index]!;
    fuse.resume();
    await Promise.race([Promise.all(underway), fuse.stalled]);
  }

  /** As a kill and a new start. */
  async #restart(index: number): Promise<void> {
    const { fuse, underway } = this.#processes[index]!;
    fuse.crash();
    await Promise.all(underway);
    this.#processes[index] = this.#start();
  }

  /** As ingest does: a segment that holds known batches is built again without them. */
  async write(
    store: Store,
    {
      fresh,
      retries,
      ageMs,
      loseAck,
    }: Pick<Extract<Step, { kind: 'write' }>, 'fresh' | 'retries' | 'ageMs' | 'loseAck'>,
  ): Promise<void> {
    // What ingest refuses: the catalog may have forgotten by now that it has them.
    for (const [name, { timeMs }] of this.unacked) {
      if (this.nowMs - timeMs <= BATCH_AGE_MS) continue;
      this.unacked.delete(name);
      this.#gaveUp = true;
    }
    const acceptedMs = this.nowMs + this.aheadMs;
    const names = [...this.unacked]
      .filter(([, { timeMs }]) => this.#isTaken(timeMs, acceptedMs))
      .map(([name]) => name)
      .slice(0, retries);

    for (let i = 0; i < fresh; i++) {
      const name = `batch-${this.#next}`;
      const id = { ...this.#nextId(), content: name };
      this.#next++;
      const batch = { id, timeMs: this.nowMs - ageMs };
      this.unacked.set(name, batch);
      if (this.#isTaken(batch.timeMs, acceptedMs)) names.push(name);
    }
    const known = new Map(names.map((name) => [name, this.unacked.get(name)!]));
    let left = names;
    while (left.length > 0) {
      const batches = left.map((name) => known.get(name)!);
      const block = mergeBlocks(
        left.map((name, i) => batchBlock(name, batches[i]!.timeMs, SERVICES[Number(batches[i]!.id.seq) % 3])),
      );
      let result;
      try {
        result = await store.commitSegment({ block, batches: batches.map((batch) => batch.id), acceptedMs });
      } catch {
        return;
      }
      if (loseAck) return;
      const repeated = new Set(result.committed ? [] : result.duplicates.map((id) => id.seq));
      // As the agent does: under a fresh id, and the same content.
      for (const { seq } of result.committed ? [] : result.conflicts) {
        const at = batches.findIndex(({ id }) => id.seq === seq);
        // It did so already: this call was given up by then, and stood still.
        if (this.unacked.get(left[at]!) !== batches[at]) {
          known.delete(left[at]!);
          continue;
        }
        const renewed = { ...batches[at]!, id: { ...batches[at]!.id, agentId: `fresh-${this.#fresh++}` } };
        this.unacked.set(left[at]!, renewed);
        // Under the old one it may lie there too, and who has that number may be forgotten.
        this.#gaveUp = true;
        known.set(left[at]!, renewed);
      }
      const done = left.filter((_, i) => result.committed || repeated.has(batches[i]!.id.seq));
      for (const name of done) {
        this.unacked.delete(name);
        this.acked.add(name);
      }
      left = left.filter((name) => !done.includes(name) && known.has(name));
    }
  }

  async steal(store: Store, next: boolean): Promise<void> {
    const [underway] = this.unacked.values();
    const acceptedMs = this.nowMs + this.aheadMs;
    if (!this.#isTaken(this.nowMs, acceptedMs)) return;
    const name = `stranger-${this.#strangers++}`;
    const id = { ...(next || underway === undefined ? this.#nextId() : underway.id), content: name };
    const block = batchBlock(name, this.nowMs, SERVICES[0]);
    try {
      const result = await store.commitSegment({ block, batches: [id], acceptedMs });
      if (result.committed) this.acked.add(name);
    } catch {
      // Whether it is there is not known to him either, and he does not ask again.
      this.#gaveUp = true;
    }
  }

  /** What is too old or too early by the clock of now is refused, and sent again. */
  #isTaken(timeMs: number, acceptedMs: number): boolean {
    return acceptedMs - timeMs <= BATCH_AGE_MS && timeMs - acceptedMs <= FUTURE_MS;
  }

  #nextId(): BatchId {
    return { agentId: `agent-${this.#next % 3}`, seq: BigInt(this.#next) };
  }

  /** What is wrong with what the store answers now. */
  async problems(): Promise<string[]> {
    const problems: string[] = [];
    // What a process does beside one that stands still may be acked after the view.
    const acked = [...this.acked];
    const { blocks } = await this.#catalog.view(ALL.fromMs, ALL.toMs);
    const sums = new Map<string, number>();
    for (const entry of blocks) {
      if (!this.objects.has(entry.key)) problems.push(`${entry.id} has a row and no object`);
      else for (const [name, sum] of await this.#sumsOf(entry)) sums.set(name, (sums.get(name) ?? 0) + sum);
    }
    for (const name of acked) if (!sums.has(name)) problems.push(`${name} was acked and is gone`);
    for (const [name, sum] of sums) if (sum !== BATCH_SUM) problems.push(`${name} counts ${sum}`);
    const { quarantined } = await this.#catalog.totals();
    if (quarantined > 0) problems.push(`${quarantined} blocks are quarantined`);
    for (const { snapshot, untilMs } of this.#reads) {
      const gone = snapshot.blocks.find((entry) => !this.objects.has(entry.key));
      if (gone !== undefined && this.nowMs <= untilMs)
        problems.push(`${gone.id} is still being read and gone`);
    }
    for (const { subject, lastError } of await this.#catalog.jobs.list(1000)) {
      if (lastError !== '' && !lastError.includes('injected')) problems.push(`${subject}: ${lastError}`);
    }
    return problems;
  }

  /** For whoever looks into a failure. */
  async blocks(): Promise<string[]> {
    const { blocks } = await this.#catalog.view(ALL.fromMs, ALL.toMs);
    return blocks.map((block) => {
      const sums = JSON.stringify([...(this.#sums.get(block.id) ?? [])]);
      return `${block.id} level ${block.level} shard ${block.shard}/${block.shards} rows ${block.rows} ${sums}`;
    });
  }

  async #sumsOf(entry: BlockEntry): Promise<ReadonlyMap<string, number>> {
    let sums = this.#sums.get(entry.id);
    if (sums === undefined) {
      sums = sumsOfBlock((await readBlock(this.store.source(entry), {})).block);
      this.#sums.set(entry.id, sums);
    }
    return sums;
  }

  /** Everybody goes on, everything is retried; long after that nothing but the live blocks may be left. */
  async settle(): Promise<void> {
    // Its reads are over: what it pins is not held back from removal any more.
    for (const { snapshot } of this.#reads.splice(0)) snapshot.release();
    for (const [index, { fuse, underway }] of this.#processes.entries()) {
      fuse.disarm();
      fuse.resume();
      await Promise.all(underway);
      if (fuse.crashed) await this.#restart(index);
    }
    this.aheadMs = 0;
    // What was written while a clock was ten days ahead is old only after those.
    for (const ms of [0, 2 * ORPHAN_GRACE_MS, 3 * DAY, AHEAD_MS, DELETED_GRACE_MS + MINUTE, HOUR, HOUR]) {
      this.nowMs += ms;
      await this.write(this.store, { fresh: 0, retries: Infinity, ageMs: 0, loseAck: false });
      for (const { store } of [this.#observer, ...this.#processes]) await store.maintain();
      if (this.#gaveUp) await this.store.controls.resume('sweep', true);
    }
    // No catalog was lost in these histories: what was left behind proves that it is no more than that.
    expect(await this.store.controls.hold('sweep')).toBeUndefined();
  }

  async levels(): Promise<{
    readonly live: number;
    readonly deleted: number;
    readonly levels: readonly number[];
  }> {
    const { levels, deleted } = await this.#catalog.totals();
    const live = levels.reduce((sum, level) => sum + level.blocks, 0);
    return { live, deleted: deleted.blocks, levels: levels.map(({ level }) => level) };
  }

  async close(): Promise<void> {
    for (const { store } of [this.#observer, ...this.#processes]) await store.close();
    await this.#catalog.close();
  }
}

test.each(['memory', 'sqlite'] as const)(
  'any history of processes that write, compact, fail, die and stand still: acked is there, once (catalog: %s)',
  async (engine) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const world = await World.create(engine);
        for (const [index, step] of steps.entries()) {
          await world.run(step);
          const problems = step.kind === 'wait' || step.kind === 'fault' ? [] : await world.problems();
          const blocks = problems.length > 0 ? await world.blocks() : [];
          expect({ index, problems, blocks }).toEqual({ index, problems: [], blocks: [] });
        }
        await world.settle();
        expect(await world.problems()).toEqual([]);
        expect(world.unacked.size).toBe(0);
        const { live, deleted, levels } = await world.levels();
        expect(await world.objects.list('blocks/')).toHaveLength(live + deleted);
        expect(levels.every((level) => level === 5)).toBe(true);
        await world.close();
      }),
      { numRuns: RUNS[engine] },
    );
  },
  RUNS.memory * 10_000,
);
