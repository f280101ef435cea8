/**
 * How many bytes the caches of all threads may hold together, and how many each holds: a cell per cache and thread in
 * memory that they share, each written by its own thread only. One thread may fill all of it while the others need
 * none; when they do, it gives way down to an equal part.
 *
 *   cells   │ footer: thread 0, 1, … │ block: thread 0, 1, … │ …        bytes
 */
import type { QueryLimits } from './limits.ts';

export const CACHES = ['footer', 'block', 'frames', 'partial', 'series', 'names'] as const;
export type CacheName = (typeof CACHES)[number];

const CACHE_LIMITS = {
  footer: 'footerCacheBytes',
  block: 'blockCacheBytes',
  frames: 'blockFramesCacheBytes',
  partial: 'partialCacheBytes',
  series: 'seriesCacheBytes',
  names: 'frameBytes',
} as const satisfies Readonly<Record<CacheName, keyof QueryLimits>>;

const CELL_BYTES = BigInt64Array.BYTES_PER_ELEMENT;

export type CacheCells = SharedArrayBuffer;

export function createCacheCells(threads: number): CacheCells {
  return new SharedArrayBuffer(CACHES.length * threads * CELL_BYTES);
}

/** Bytes that all threads hold in a cache. */
export function heldInCache(cells: CacheCells, name: CacheName): number {
  return sum(cellsOf(cells, name));
}

/** A thread that ended holds nothing any more. */
export function clearCacheCells(cells: CacheCells, thread: number): void {
  for (const name of CACHES) Atomics.store(cellsOf(cells, name), thread, 0n);
}

/** One thread's share of one cache. */
export class CacheShare {
  readonly name: CacheName;
  /** Of all threads. */
  readonly maxBytes: number;
  readonly #cells: BigInt64Array;
  readonly #thread: number;
  readonly #press: () => void;

  /** `press` is called when other threads hold more than their part of what this one needs. */
  constructor(
    name: CacheName,
    limits: QueryLimits,
    cells: CacheCells = createCacheCells(1),
    thread = 0,
    press: () => void = () => undefined,
  ) {
    this.name = name;
    this.maxBytes = limits[CACHE_LIMITS[name]];
    this.#cells = cellsOf(cells, name);
    this.#thread = thread;
    this.#press = press;
  }

  /** Whether this thread has to give something up that holds so many bytes. */
  isOver(bytes: number): boolean {
    return bytes > this.maxBytes / this.#cells.length && bytes + this.#others() > this.maxBytes;
  }

  /** Says how many bytes this thread holds now, after having given up what it has to. */
  hold(bytes: number): void {
    Atomics.store(this.#cells, this.#thread, BigInt(Math.ceil(bytes)));
    if (bytes + this.#others() > this.maxBytes) this.#press();
  }

  #others(): number {
    return sum(this.#cells) - Number(Atomics.load(this.#cells, this.#thread));
  }
}

function cellsOf(cells: CacheCells, name: CacheName): BigInt64Array {
  const threads = cells.byteLength / CELL_BYTES / CACHES.length;
  return new BigInt64Array(cells, CACHES.indexOf(name) * threads * CELL_BYTES, threads);
}

function sum(cells: BigInt64Array): number {
  let total = 0;
  for (let i = 0; i < cells.length; i++) total += Number(Atomics.load(cells, i));
  return total;
}

/** The shares of one thread in all caches. */
export type CacheShares = (name: CacheName) => CacheShare;
