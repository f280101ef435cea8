import {
  FrameInterner,
  LocationFrames,
  type Block,
  type FlameBuilder,
  type StackSums,
} from '@fleetflame/profile';
import type { Breather } from './breather.ts';
import type { BlockEntry } from '@fleetflame/store';
import { ByteLru } from './byte-lru.ts';
import type { CacheShare, CacheShares } from './cache-share.ts';
import type { QueryMetrics } from './query-metrics.ts';
import type { QuerySymbols } from './symbol-source.ts';

/** What some blocks add to a flame graph. */
export interface Partial {
  readonly builder: FlameBuilder;
  readonly rows: number;
  /** Fingerprints of the series. */
  readonly series: ReadonlySet<number>;
  readonly periods: ReadonlySet<number>;
  /** Build ids that symbols were asked for, and which they had: with others, this is stale. */
  readonly symbols: ReadonlyMap<string, string>;
}

/** The samples of one block that are to be added. */
export interface SummedBlock {
  readonly entry: BlockEntry;
  readonly block: Block;
  readonly sums: StackSums;
  /** Whose symbols its stacks need; they have been loaded. */
  readonly buildIds: readonly string[];
}

interface KnownFrames {
  readonly frames: LocationFrames;
  /** As in `Partial`. */
  readonly symbols: Map<string, string>;
}

/** The partial answers of a query service, the frames of blocks, and the text that they share. */
export class FlameCache {
  #frames = new FrameInterner();
  readonly #partials: ByteLru<Partial>;
  readonly #blockFrames: ByteLru<KnownFrames>;
  readonly #names: CacheShare;

  constructor(shares: CacheShares, metrics: QueryMetrics) {
    this.#partials = new ByteLru(shares('partial'), metrics);
    this.#blockFrames = new ByteLru(shares('frames'), metrics);
    this.#names = shares('names');
  }

  /**
   * The frames for one query. Interned names are never removed one by one; when there are too many, a
   * new set is begun, and what was summed with the old one is no longer found.
   */
  frames(): FrameInterner {
    if (this.#names.isOver(this.#frames.sizeBytes)) this.#frames = new FrameInterner();
    this.#names.hold(this.#frames.sizeBytes);
    return this.#frames;
  }

  /** Gives up what other threads need. */
  trim(): void {
    this.#partials.trim();
    this.#blockFrames.trim();
    this.frames();
  }

  /** A partial that was summed with these frames and the symbols of now. */
  async get(key: string, frames: FrameInterner, symbols: QuerySymbols): Promise<Partial | undefined> {
    const partial = this.#partials.get(key);
    if (partial === undefined || partial.builder.tree.frames !== frames) return undefined;
    await symbols.load(partial.symbols.keys());
    return isCurrent(partial.symbols, symbols) ? partial : undefined;
  }

  set(key: string, partial: Partial): void {
    const bytes = partial.builder.sizeBytes + partial.series.size * 32 + partial.symbols.size * 200;
    this.#partials.set(key, partial, bytes);
  }

  /** Keeps a partial that is in use through a sum it is part of. */
  touch(key: string): void {
    this.#partials.peek(key);
  }

  /** `builder.addBlock` that looks up only those frames that no other question about the block has. */
  async addBlock(
    builder: FlameBuilder,
    { entry, block, sums, buildIds }: SummedBlock,
    frames: FrameInterner,
    symbols: QuerySymbols,
    breather: Breather,
  ): Promise<void> {
    let known = this.#blockFrames.get(entry.id);
    if (known !== undefined) await symbols.load(known.symbols.keys());
    // Another query may add frames meanwhile. It must see which symbols these are of before it does.
    if (known?.frames.interner !== frames || !isCurrent(known.symbols, symbols)) {
      known = { frames: new LocationFrames(block.locations.length, frames), symbols: new Map() };
    }
    for (const buildId of buildIds) known.symbols.set(buildId, symbols.version(buildId));
    for (const _ of builder.addBlockInSteps(block, sums, symbols.symbolize, known.frames)) {
      await breather.breathe();
    }
    this.#blockFrames.set(entry.id, known, known.frames.sizeBytes + known.symbols.size * 200);
  }
}

function isCurrent(used: ReadonlyMap<string, string>, symbols: QuerySymbols): boolean {
  for (const [buildId, version] of used) if (symbols.version(buildId) !== version) return false;
  return true;
}
