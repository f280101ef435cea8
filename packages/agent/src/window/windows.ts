import type { Collection } from '@fleetflame/bpf';
import type { ProcessTable } from '../labels/process-table.ts';
import type { FrameSources, UnnamedCounters } from './frame-resolver.ts';
import { Window, addressWordsOf } from './window.ts';

/** A sample further than this from its window has a clock that jumped: it is put at the window's start. */
const MAX_SKEW_MS = 60_000;

/**
 * Cuts the stream of collections into windows aligned to the wall clock.
 *
 *   wall clock   │◀── window ──▶│◀── window ──▶│
 *   collections  ▲  ▲  ▲  ▲  ▲  ▲ this one has samples of both sides, and closes the first
 *
 * A sample goes to the window of its own second. One that is late, because its window is closed, goes to the
 * open one and keeps its time.
 */
export class Windows {
  readonly #windowMs: number;
  readonly #create: (startMs: number) => Window;
  readonly #open: Window[] = [];

  constructor(options: {
    readonly windowMs: number;
    readonly periodNs: number;
    readonly processes: ProcessTable;
    readonly sources: FrameSources;
    readonly unnamed: UnnamedCounters;
  }) {
    const { windowMs, periodNs, processes, sources, unnamed } = options;
    this.#windowMs = windowMs;
    this.#create = (startMs) => new Window(startMs, periodNs, processes, sources, unnamed);
  }

  /** Start of the window that a time is in. */
  startOf(timeMs: number): number {
    return Math.floor(timeMs / this.#windowMs) * this.#windowMs;
  }

  /** Adds the samples of a collection that was made at nowMs. */
  add(collection: Collection, nowMs: number): void {
    const words = addressWordsOf(collection);
    let window = this.#windowOf(nowMs);
    for (let i = 0; i < collection.length; i++) {
      const timeMs = collection.timeMs[i]!;
      if (timeMs < window.startMs || timeMs >= window.startMs + this.#windowMs)
        window = this.#windowOf(timeMs);
      const skewed = Math.abs(timeMs - window.startMs) > MAX_SKEW_MS + this.#windowMs;
      window.add(collection, words, i, skewed ? window.startMs : timeMs, nowMs);
    }
  }

  /** Takes out the windows that have ended at nowMs, with all their samples collected; oldest first. */
  close(nowMs: number): Window[] {
    const now = this.startOf(nowMs);
    const closed: Window[] = [];
    const kept: Window[] = [];
    for (const window of this.#open) {
      // A window of the future was opened before the clock was set back.
      const isOpen = window.startMs === now || window.startMs === now + this.#windowMs;
      (isOpen && !window.isFull ? kept : closed).push(window);
    }
    this.#open.splice(0, this.#open.length, ...kept);
    return closed;
  }

  /** Takes out all windows: the agent stops. */
  closeAll(): Window[] {
    return this.#open.splice(0);
  }

  /** The open window of a time, or the one nearest to it; a new one only for times after all open ones. */
  #windowOf(timeMs: number): Window {
    const startMs = this.startOf(timeMs);
    const last = this.#open.at(-1);
    if (last === undefined || startMs > last.startMs) {
      // Sampler and agent read the same clock, so this is the next window, unless the clock was set.
      const window = this.#create(startMs);
      this.#open.push(window);
      return window;
    }
    return this.#open.find((window) => window.startMs >= startMs) ?? last;
  }
}
