import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeBlock } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import pl from 'nodejs-polars';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from './support/product.ts';

const TABLES = ['series', 'stacks', 'locations', 'functions', 'mappings', 'samples'];

interface Listed {
  readonly blocks: readonly {
    readonly id: string;
    readonly rows: number;
    readonly sizeBytes: number;
    readonly quarantine?: { readonly reason: string };
  }[];
  readonly more: boolean;
}

describe('blocks: what is in the store, block by block', () => {
  let product: Product;
  let ids: string[];
  // Ahead of the clock, so that no minute of theirs is over and merged while the test looks at them.
  const startMs = Date.now() + 120_000;
  const range = ['--from', String(startMs), '--to', String(startMs + 60_000)];

  beforeAll(async () => {
    product = await Product.start({ args: ['--no-agent'] });
    for (let seq = 0; seq < 3; seq++) {
      const text = `main;parse ${30 + seq}\nmain;write 12\n`;
      const block = encodeBlock(blockFromText(text, { timeMs: startMs + seq * 1000 }));
      // One after the other, so that each becomes a segment of its own.
      await product.ingest.write({ agentId: 'blocks-test', seq: BigInt(seq), block });
    }
    ids = (await list()).blocks.map((block) => block.id);
  });

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
  });

  async function list(...args: readonly string[]): Promise<Listed> {
    const { stdout, stderr, code } = await product.cli(
      'blocks',
      'list',
      '--json',
      ...(args.includes('--from') ? [] : range),
      ...args,
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    // JSON that our own CLI printed.
    return JSON.parse(stdout) as Listed;
  }

  it('list shows every block of the range once, for people and for scripts', async () => {
    expect(new Set(ids).size).toBe(3);
    expect((await list()).blocks.map((block) => block.rows)).toEqual([2, 2, 2]);
    const { stdout } = await product.cli('blocks', 'list', ...range);
    for (const id of ids) expect(stdout).toContain(id);
    expect(stdout).toMatch(/\n3 blocks, /);
    const limited = await product.cli('blocks', 'list', '--limit', '2', '--json', ...range);
    expect(JSON.parse(limited.stdout)).toMatchObject({
      blocks: [{ id: ids[0] }, { id: ids[1] }],
      more: true,
    });
    expect((await list('--from', '2020-01-01', '--to', '2020-01-02')).blocks).toEqual([]);
  });

  it('inspect says what a block holds, and the sizes of its columns', async () => {
    const { stdout, code } = await product.cli('blocks', 'inspect', ids[0]!, '--json');
    expect(code).toBe(0);
    const shown = JSON.parse(stdout) as {
      readonly sizeBytes: number;
      readonly tables: readonly { readonly table: string; readonly storedBytes: number }[];
    };
    expect(shown).toMatchObject({
      block: ids[0],
      formatVersion: 2,
      datasets: [{ sampleRows: 2, total: 42 }],
    });
    expect(shown.tables.map(({ table }) => table).toSorted()).toEqual([...TABLES, 'points'].toSorted());
    const tables = shown.tables.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    expect(tables).toBeGreaterThan(shown.sizeBytes / 2);
    expect(tables).toBeLessThan(shown.sizeBytes);
    const people = await product.cli('blocks', 'inspect', ids[0]!);
    expect(people.stdout).toMatch(/\n {2}labels\[\]\.name +\d/);
    // The same from the file itself.
    const path = join(product.dataDir, 'objects', 'blocks', ids[0]!);
    const file = await product.cli('blocks', 'inspect', path, '--json');
    expect(JSON.parse(file.stdout)).toMatchObject({ datasets: [{ sampleRows: 2, total: 42 }] });
  });

  it.each(TABLES)('export writes %s as plain Arrow and as Parquet, and Polars reads both', async (table) => {
    const files = {
      arrow: join(product.dataDir, `${table}.ipc`),
      parquet: join(product.dataDir, `${table}.parquet`),
    };
    for (const [format, path] of Object.entries(files)) {
      const { code, stderr } = await product.cli(
        'blocks',
        'export',
        ids[1]!,
        table,
        '--format',
        format,
        '-o',
        path,
      );
      expect(stderr).toBe('');
      expect(code).toBe(0);
    }
    const arrow = pl.readIPC(await readFile(files.arrow)).toRecords();
    const parquet = pl.readParquet(await readFile(files.parquet)).toRecords();
    expect(parquet).toEqual(arrow);
    if (table !== 'samples') return;
    expect(sum(arrow.map((row) => row['total']))).toBe(43);
    const points = arrow.flatMap(
      // A list of structs, which Polars gives as arrays of objects.
      (row) => row['points'] as unknown as readonly { readonly value: unknown }[],
    );
    expect(sum(points.map(({ value }) => value))).toBe(43);
  });

  it('verify finds every block sound, then the damaged one, which is quarantined and reported by queries', async () => {
    const sound = await product.cli('blocks', 'verify', ...range);
    expect(sound.stdout).toMatch(/^3 blocks checked, .*: all are sound\n$/);
    expect(sound.code).toBe(0);

    const path = join(product.dataDir, 'objects', 'blocks', ids[2]!);
    const bytes = await readFile(path);
    bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
    await writeFile(path, bytes);
    const damaged = await product.cli('blocks', 'verify', '--json', ...range);
    expect(damaged.code).toBe(1);
    expect(JSON.parse(damaged.stdout)).toMatchObject({
      checked: 3,
      damaged: [{ block: ids[2], quarantined: true }],
    });
    const quarantined = await list('--quarantined');
    expect(quarantined.blocks).toMatchObject([{ id: ids[2], quarantine: {} }]);
    const { coverage } = await product.query.top({
      scope: { fromMs: BigInt(startMs), toMs: BigInt(startMs + 10_000), profileType: 'cpu' },
    });
    expect(coverage).toMatchObject({ blocksExpected: 3, blocksAnswered: 2, missing: [{ blockId: ids[2] }] });
  });

  it.each([
    [['inspect', 'nosuch'], /nosuch is neither the id of a block .* nor a file/],
    [['inspect', '000000000000-0000000000000000'], /there is no live block/],
    [
      ['export', '000000000000-0000000000000000', 'sample', '-o', '-'],
      /no table "sample": choose from series/,
    ],
    [['export', '000000000000-0000000000000000', 'samples'], /required option '-o/],
    [['list', '--level', '-1'], /whole number from 0 to 99/],
  ])('says what is wrong with %j', async (args, message) => {
    const { code, stderr } = await product.cli('blocks', ...args);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

function sum(values: readonly unknown[]): number {
  return values.reduce((a: number, b) => a + Number(b), 0);
}
