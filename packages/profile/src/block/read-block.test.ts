import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { arbitraryBlock, blockFromText, describeBlock } from '../testing/index.ts';
import type { Block } from './block.ts';
import { BlockBuilder } from './block-builder.ts';
import { decodeBlock } from './decode-block.ts';
import { encodeBlock } from './encode-block.ts';
import { hasTotalsOnly, mergeBlocks } from './merge-blocks.ts';
import { bytesSource, type RangeSource } from './range-source.ts';
import { readBlock, readFooter } from './read-block.ts';

/** Two services; `api` has more points than requests for its batch would jump over. */
function twoServices(): Block {
  const builder = new BlockBuilder();
  const api = builder.series('cpu', 1, { service_name: 'api' });
  const db = builder.series('cpu', 1, { service_name: 'db' });
  for (let i = 0; i < 2000; i++) {
    const stack = builder.stack(0, builder.location(0, i, 0, []));
    for (let k = 0; k < 20; k++) builder.add(api, stack, Math.imul(i * 20 + k, 0x9e3779b1) >>> 0, i + 1);
  }
  builder.add(db, builder.stack(0, builder.location(0, 1, 0, [])), 5, 12);
  return builder.build();
}

/** One dataset, too large to be read whole. */
function largeBatch(): Block {
  const builder = new BlockBuilder();
  const api = builder.series('cpu', 1, { service_name: 'api' });
  for (let i = 0; i < 40_000; i++) {
    const stack = builder.stack(0, builder.location(0, i % 100, 0, []));
    builder.add(api, stack, Math.imul(i, 0x9e3779b1) >>> 0, i + 1);
  }
  return builder.build();
}

async function totalsOf(block: Block): Promise<Block> {
  return (await readBlock(bytesSource(encodeBlock(block)), { points: false })).block;
}

/** Remembers what was read. */
function recorded(bytes: Uint8Array): RangeSource & { readonly reads: [number, number][] } {
  const reads: [number, number][] = [];
  return {
    size: bytes.length,
    reads,
    read: async (offset, length) => {
      reads.push([offset, length]);
      return bytes.slice(offset, offset + length);
    },
  };
}

describe('readFooter', () => {
  test('answers "CPU by service" from one read of the tail', async () => {
    const bytes = encodeBlock(twoServices());
    const source = recorded(bytes);
    const footer = await readFooter(source);
    expect(source.reads).toEqual([[Math.max(0, bytes.length - 65_536), Math.min(bytes.length, 65_536)]]);
    expect(footer.datasets.map(({ serviceName, total }) => [serviceName, total])).toEqual([
      ['api', 20n * ((2000n * 2001n) / 2n)],
      ['db', 12n],
    ]);
  });
});

describe('readBlock', () => {
  test('equals decodeBlock when it reads everything', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryBlock(), async (block) => {
        const bytes = encodeBlock(block);
        const { block: read } = await readBlock(bytesSource(bytes));
        expect(describeBlock(read)).toEqual(describeBlock(block));
        expect(read).toEqual(decodeBlock(bytes));
      }),
      { numRuns: 50 },
    );
  });

  test('with a dataset filter equals filtering in memory', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryBlock(), fc.constantFrom('', 'api', 'db'), async (block, service) => {
        const source = bytesSource(encodeBlock(block));
        const { block: read } = await readBlock(source, {
          datasets: ({ serviceName }) => serviceName === service,
        });
        const wanted = (line: string): boolean =>
          !line.includes(' = ') ||
          (service === ''
            ? !line.includes('"service_name":')
            : line.includes(`"service_name":${JSON.stringify(service)}`));
        // Marks of datasets are seen where anything of the dataset is.
        const marked = (line: string): boolean =>
          !line.startsWith('default ') || line.endsWith(` ${JSON.stringify(service)}`);
        expect(describeBlock(read).filter(marked)).toEqual(
          describeBlock(block).filter(wanted).filter(marked),
        );
      }),
      { numRuns: 50 },
    );
  });

  test('without points has the same totals and no points', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryBlock(), async (block) => {
        const { block: read } = await readBlock(bytesSource(encodeBlock(block)), { points: false });
        expect(read.samples.total).toEqual(block.samples.total);
        expect(read.samples.stack).toEqual(block.samples.stack);
        expect(read.samples.time.length + read.samples.value.length).toBe(0);
        expect(read.samples.pointStart.every((start) => start === 0)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('reads only the bytes that it needs', async () => {
    const bytes = encodeBlock(twoServices());
    const footer = await readFooter(bytesSource(bytes));
    const read = async (options: object): Promise<number> => {
      const source = recorded(bytes);
      const { bytesRead } = await readBlock(source, { footer, ...options });
      expect(source.reads.reduce((sum, [, length]) => sum + length, 0)).toBe(bytesRead);
      return bytesRead;
    };
    const everything = await read({});
    const totals = await read({ points: false });
    const db = await read({ datasets: (dataset: { serviceName: string }) => dataset.serviceName === 'db' });
    const nothing = await read({ datasets: () => false });
    expect(everything).toBeLessThanOrEqual(bytes.length);
    expect(totals).toBeLessThan(everything);
    expect(db).toBeLessThan(totals);
    expect(nothing).toBeLessThan(db);
  });

  test('does not touch the buffers of points that it was not asked for', async () => {
    const bytes = encodeBlock(largeBatch());
    const footer = await readFooter(bytesSource(bytes));
    const { offset, sizeBytes } = footer.tables.find(({ name }) => name === 'points')!;
    const broken = bytes.slice();
    broken.fill(0xff, Number(offset), Number(offset + sizeBytes));
    const all = { footer, datasets: () => true };
    await expect(readBlock(bytesSource(broken), { ...all, points: true })).rejects.toThrow(/corrupt|broken/u);
    const { block } = await readBlock(bytesSource(broken), { ...all, points: false });
    expect(block.samples.total).toEqual(largeBatch().samples.total);
  });

  test('checks all of a small batch, also what it was not asked for', async () => {
    const bytes = encodeBlock(blockFromText('main 77', { labels: { service_name: 'api' } }));
    const footer = await readFooter(bytesSource(bytes));
    const samples = footer.tables.find(({ name }) => name === 'samples')!;
    // Where totals are asked for, the number of points is not.
    const points = bytes.indexOf(77, Number(samples.offset)) + 8;
    expect(bytes[points + 8]).toBe(1);
    const broken = bytes.slice();
    broken[points + 8]! ^= 1;
    const read = readBlock(bytesSource(broken), { footer, datasets: () => true, points: false });
    await expect(read).rejects.toThrow(/checksum of the batch/u);
  });

  test('gives blocks without points that merge by total, and only with their like', async () => {
    const a = blockFromText('main;parse 30\nmain;write 12');
    const b = blockFromText('main;parse 5 @+9');
    const merged = mergeBlocks([await totalsOf(a), await totalsOf(b)]);
    expect(hasTotalsOnly(merged)).toBe(true);
    expect(merged.samples.total).toEqual(mergeBlocks([a, b]).samples.total);
    const mixed = [a, await totalsOf(b)];
    expect(() => mergeBlocks(mixed)).toThrow(/without points/u);
  });

  test('reads a footer larger than the tail', async () => {
    const blocks = Array.from({ length: 600 }, (_, i) =>
      blockFromText('main 1', { labels: { service_name: `${'long-name-'.repeat(10)}${i}` } }),
    );
    const bytes = encodeBlock(mergeBlocks(blocks));
    const { block } = await readBlock(bytesSource(bytes), {
      datasets: ({ serviceName }) => serviceName === `${'long-name-'.repeat(10)}7`,
    });
    expect(block.samples.length).toBe(1);
  });

  test('refuses a source that is shorter than it says', async () => {
    const bytes = encodeBlock(blockFromText('main 1'));
    const source = { size: bytes.length, read: async () => bytes.slice(0, 3) };
    await expect(readFooter(source)).rejects.toThrow(/were asked for, 3 came/u);
  });
});
