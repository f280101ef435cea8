import {
  ANONYMOUS_BINARY,
  type Collection,
  KERNEL_BINARY,
  STACK_KERNEL_TRUNCATED,
  STACK_NO_PROCESS,
} from '@fleetflame/bpf';
import { type Block, BlockBuilder, type SeriesIndex, type StackIndex } from '@fleetflame/profile';
import type { LabelSet } from '../labels/label-set.ts';
import type { ProcessTable } from '../labels/process-table.ts';
import { FrameCache } from './frame-cache.ts';
import { FrameResolver, type FrameSources, type UnnamedCounters } from './frame-resolver.ts';
import { StoppedStacks } from './stopped-stacks.ts';

export const CPU_PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/**
 * Points of one window beyond which it is closed early: 10 s of 256 busy CPUs at 19 Hz have 49,000, a batch of
 * this many about 20 MB of builder tables.
 */
export const MAX_WINDOW_POINTS = 1_000_000;

/** Spaces of JIT names begin here; below are binary ids. See FrameCache. */
const JIT_SPACE = 0x4000_0000;

/** The samples of one stretch of time, becoming a block. */
export class Window {
  readonly startMs: number;
  samples = 0;
  readonly #periodNs: number;
  readonly #builder = new BlockBuilder();
  readonly #processes: ProcessTable;
  readonly #sources: FrameSources;
  readonly #resolver: FrameResolver;
  readonly #frames = new FrameCache();
  readonly #stopped: StoppedStacks;
  /** By label set, then by thread name as the kernel has it. */
  readonly #series = new Map<LabelSet, Map<string, SeriesIndex>>();

  constructor(
    startMs: number,
    periodNs: number,
    processes: ProcessTable,
    sources: FrameSources,
    unnamed: UnnamedCounters,
  ) {
    this.startMs = startMs;
    this.#periodNs = periodNs;
    this.#processes = processes;
    this.#sources = sources;
    this.#resolver = new FrameResolver(this.#builder, sources, unnamed);
    this.#stopped = new StoppedStacks(this.#resolver);
  }

  get isFull(): boolean {
    return this.#builder.points >= MAX_WINDOW_POINTS;
  }

  get buildIds(): ReadonlySet<string> {
    return this.#resolver.buildIds;
  }

  /** Adds row i of a collection. */
  add(collection: Collection, addressWords: Uint32Array, i: number, timeMs: number, nowMs: number): void {
    const pid = collection.pid[i]!;
    const count = collection.count[i]!;
    const series = this.#seriesOf(pid, collection.comms[collection.comm[i]!] ?? '', nowMs);
    const stack = this.#stackOf(collection, addressWords, i, pid, nowMs, timeMs);
    this.#builder.add(series, stack, timeMs, count * this.#periodNs);
    this.samples += count;
  }

  loss(cause: string, samples: number): void {
    this.#builder.loss(cause, samples);
  }

  /** Samples whose stacks are not whole, by cause; they carry markers. */
  shortened(): Iterable<readonly [cause: `stack_${string}`, samples: number]> {
    return this.#stopped.losses();
  }

  build(): Block {
    return this.#builder.build();
  }

  #seriesOf(pid: number, comm: string, nowMs: number): SeriesIndex {
    const labelSet = this.#processes.labelSet(pid, nowMs);
    let byComm = this.#series.get(labelSet);
    if (byComm === undefined) {
      byComm = new Map();
      this.#series.set(labelSet, byComm);
    }
    let series = byComm.get(comm);
    if (series === undefined) {
      series = this.#builder.series(CPU_PROFILE_TYPE, this.#periodNs, {
        ...labelSet.labels,
        thread_name: labelSet.threadName(comm),
      });
      byComm.set(comm, series);
    }
    return series;
  }

  /** Frames come leaf first; the block's tree grows from the root. */
  #stackOf(
    collection: Collection,
    addressWords: Uint32Array,
    i: number,
    pid: number,
    nowMs: number,
    timeMs: number,
  ): StackIndex {
    const { frameBinary, frameIsReturn } = collection;
    const first = collection.stackStart[i]!;
    const count = collection.count[i]!;
    const flags = collection.flags[i]!;
    if ((flags & STACK_NO_PROCESS) !== 0) this.#stopped.noProcess(count);
    const missing = this.#stopped.user(collection.end[i]!, count);
    let kernelMissing = (flags & STACK_KERNEL_TRUNCATED) !== 0 ? this.#stopped.kernel(count) : undefined;
    let jitSpace = 0;
    let stack: StackIndex = missing === undefined ? 0 : this.#builder.stack(0, missing);
    for (let frame = collection.stackStart[i + 1]! - 1; frame >= first; frame--) {
      const binary = frameBinary[frame]!;
      if (binary === KERNEL_BINARY && kernelMissing !== undefined) {
        stack = this.#builder.stack(stack, kernelMissing);
        kernelMissing = undefined;
      }
      const low = addressWords[2 * frame]!;
      const high = addressWords[2 * frame + 1]!;
      const isReturn = frameIsReturn[frame]!;
      let space = binary;
      if (binary === ANONYMOUS_BINARY) {
        jitSpace = jitSpace || JIT_SPACE + this.#sources.jit.generation(pid, nowMs, timeMs);
        space = jitSpace;
      }
      // One bit below: the same address names another instruction when it is a return address.
      space = space * 2 + isReturn;
      let location = this.#frames.get(space, low, high);
      if (location < 0) {
        location = this.#resolver.resolve(binary, low, high, isReturn === 1, pid, nowMs, timeMs);
        this.#frames.set(space, low, high, location);
      }
      stack = this.#builder.stack(stack, location);
    }
    return stack;
  }
}

/** The addresses of a collection as pairs of 32-bit words, low first: no bigint per frame. */
export function addressWordsOf(collection: Collection): Uint32Array {
  const { frameAddress } = collection;
  return new Uint32Array(frameAddress.buffer, frameAddress.byteOffset, frameAddress.length * 2);
}
