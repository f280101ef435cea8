import { readBlock, readFooter, type Block, type RangeSource } from '@fleetflame/profile';
import type { Dataset, Footer } from '@fleetflame/proto/block/v1/footer';
import type { BlockEntry, Store } from '@fleetflame/store';
import { ByteLru } from './byte-lru.ts';
import type { CacheShares } from './cache-share.ts';
import type { QueryMetrics } from './query-metrics.ts';

export interface ReadResult {
  readonly block: Block;
  /** Bytes read for it now; 0 when it was in the cache. */
  readonly bytesRead: number;
}

/** Footers and blocks by block id. Blocks are immutable, so both are cached. */
export class BlockReader {
  readonly #store: Pick<Store, 'read'>;
  readonly #metrics: QueryMetrics;
  readonly #footers: ByteLru<Footer>;
  readonly #blocks: ByteLru<Block>;

  constructor(store: Pick<Store, 'read'>, shares: CacheShares, metrics: QueryMetrics) {
    this.#store = store;
    this.#metrics = metrics;
    this.#footers = new ByteLru(shares('footer'), metrics);
    this.#blocks = new ByteLru(shares('block'), metrics);
  }

  /** Gives up what other threads need. */
  trim(): void {
    this.#footers.trim();
    this.#blocks.trim();
  }

  async footer(entry: BlockEntry): Promise<{ readonly footer: Footer; readonly bytesRead: number }> {
    const cached = this.#footers.get(entry.id);
    if (cached !== undefined) return { footer: cached, bytesRead: 0 };
    const { value: footer, bytesRead } = await this.#read(entry, readFooter);
    this.#footers.set(entry.id, footer, footerBytes(footer));
    return { footer, bytesRead };
  }

  /** The chosen datasets (indices into the footer's, ascending), with points or with totals only. */
  async block(
    entry: BlockEntry,
    footer: Footer,
    chosen: readonly number[],
    points: boolean,
  ): Promise<ReadResult> {
    const all = chosen.length === footer.datasets.length;
    const which = all ? 'all' : chosen.join(',');
    const key = `${entry.id} ${which} ${points ? 'points' : 'totals'}`;
    // More than was asked for serves as well: series and time are selected afterwards.
    const cached =
      this.#blocks.peek(`${entry.id} all points`) ??
      (points ? undefined : this.#blocks.peek(`${entry.id} ${which} points`)) ??
      (points ? undefined : this.#blocks.peek(`${entry.id} all totals`)) ??
      this.#blocks.peek(key);
    this.#metrics.cacheRequests.inc({ cache: 'block', result: cached === undefined ? 'miss' : 'hit' });
    if (cached !== undefined) return { block: cached, bytesRead: 0 };
    const wanted = new Set<Dataset>(chosen.map((index) => footer.datasets[index]!));
    const options = {
      footer,
      points,
      ...(all ? {} : { datasets: (dataset: Dataset) => wanted.has(dataset) }),
    };
    const { value, bytesRead } = await this.#read(entry, (source) => readBlock(source, options));
    this.#blocks.set(key, value.block, blockBytes(value.block));
    return { block: value.block, bytesRead };
  }

  /** Bytes of a second look count as well. */
  async #read<T>(
    entry: BlockEntry,
    read: (source: RangeSource) => Promise<T>,
  ): Promise<{ readonly value: T; readonly bytesRead: number }> {
    let bytesRead = 0;
    const value = await this.#store.read(entry, async (inner) => {
      const source = new CountingSource(inner);
      try {
        return await read(source);
      } finally {
        bytesRead += source.bytesRead;
      }
    });
    this.#metrics.bytesRead.inc(bytesRead);
    return { value, bytesRead };
  }
}

class CountingSource implements RangeSource {
  readonly size: number;
  bytesRead = 0;
  readonly #inner: RangeSource;

  constructor(inner: RangeSource) {
    this.size = inner.size;
    this.#inner = inner;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#inner.read(offset, length);
    this.bytesRead += bytes.length;
    return bytes;
  }
}

/** Objects in V8: about this much per dataset and per footer. */
function footerBytes(footer: Footer): number {
  return 2000 + footer.datasets.length * 400;
}

function blockBytes(block: Block): number {
  let bytes = 1000;
  for (const table of [
    block.series,
    block.samples,
    block.stacks,
    block.locations,
    block.functions,
    block.mappings,
  ]) {
    for (const column of Object.values(table) as readonly unknown[]) {
      if (ArrayBuffer.isView(column)) bytes += column.byteLength;
    }
  }
  const { strings } = block;
  // Once as they are stored, and once as text, which is made when it is asked for.
  bytes += 2 * strings.bytes.byteLength + strings.starts.byteLength + 24 * strings.length;
  return bytes;
}
