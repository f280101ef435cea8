/** Catalogs that are lost, damaged or old while batches come, put back from copies, backups and footers: every acked sum is there, once. */
import { open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withOfflineStore, type OfflineStore } from '@fleetflame/store';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from './support/cluster.ts';
import { Product, run, runCli, until, type Output } from './support/product.ts';
import { MAIN } from './support/server-process.ts';
import { sumsOfStore, Writers } from './support/writers.ts';

/** Acks between one thing and the next. */
const MORE = 40;
const QUICK = 'limits:\n  maintenance:\n    roundMs: 200\nrollups:\n  fiveMinutes: 60d\n  hours: 90d\n';

async function more(writers: Writers): Promise<void> {
  const before = writers.acks;
  await until(
    'acks',
    () => Promise.resolve(writers.acks),
    (acks) => acks >= before + MORE,
  );
}

/** Raw blocks hold what was acked, rollups what the blocks that were rolled up hold, and all can be read. */
async function expectWhole(store: OfflineStore, { acked }: Writers): Promise<void> {
  const { raw, rolledUp, rollups, quarantined } = await sumsOfStore(store);
  expect(raw).toEqual(acked);
  expect(rollups).toEqual(rolledUp);
  expect(rollups.size).toBeGreaterThan(0);
  expect(quarantined).toBe(0);
}

describe('a SQLite catalog', () => {
  let product: Product;
  let dataDir: string;
  let writers: Writers;
  const catalog = (suffix = '') => join(dataDir, `catalog.db${suffix}`);
  const store = (...args: readonly string[]) => runCli('store', ...args, '--data', dataDir);

  beforeAll(async () => {
    product = await Product.start({ args: ['--no-agent'] });
    ({ dataDir } = product);
    await product.stop();
    await writeFile(join(dataDir, 'up.yaml'), QUICK);
    writers = new Writers();
    await start();
  });

  afterAll(async () => {
    writers.stop();
    await product?.stop();
    await product?.remove();
  });

  it('that is lost under load is put back from its newest copy, completed by the objects', async () => {
    const writing = writers.write([product.ingest]);
    await more(writers);
    await until('copies', copies, (count) => count >= 2);
    await more(writers);
    // Beside a running server nothing is done.
    const beside = await store('restore-catalog', '--yes');
    expect([beside.code, beside.stderr]).toEqual([
      1,
      expect.stringContaining('in use by another Fleetflame'),
    ]);
    await kill();
    await writing;
    for (const suffix of ['', '-wal', '-shm']) await rm(catalog(suffix), { force: true });

    await expect(start()).rejects.toThrow(
      /ended with 78: [^]*are not of one store[^]*store restore-catalog --yes puts the newest copy back \(\S+, less than a minute old\)[^]*store adopt --yes/,
    );
    const listed = JSON.parse((await store('restore-catalog', '--list', '--json')).stdout).copies;
    expect(listed[0]).toMatchObject({ storeId: expect.stringMatching(/^[0-9a-f]{24}$/) });
    const shown = await store('restore-catalog');
    expect([shown.code, shown.stdout]).toEqual([
      0,
      expect.stringMatching(/would be taken over[^]*Nothing was changed/),
    ]);
    const done = await store('restore-catalog', '--yes', '--json');
    expect(done.code, done.stderr).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({
      applied: true,
      copy: { name: listed[0].name },
      missing: [],
      unreadable: [],
      doubtful: [],
    });
    await goOn();
  });

  it('that is damaged under load is put back from an older copy, and kept beside it', async () => {
    const writing = writers.write([product.ingest]);
    await more(writers);
    const before = await copies();
    await until('a copy', copies, (count) => count >= before + 2);
    await kill();
    await writing;
    // Two pages in the middle, and no log that could put them right.
    for (const suffix of ['-wal', '-shm']) await rm(catalog(suffix), { force: true });
    {
      await using file = await open(catalog(), 'r+');
      await file.write(Buffer.alloc(8192, 0x5a), 0, 8192, 4096);
    }
    await expect(start()).rejects.toThrow(/ended with 78: [^]*is damaged[^]*store restore-catalog --yes/);
    const listed = JSON.parse((await store('restore-catalog', '--list', '--json')).stdout).copies;
    const aside = await replaced();
    const done = await store('restore-catalog', '--copy', listed.at(-1).name, '--yes');
    expect(done.code, done.stderr).toBe(0);
    expect(done.stdout).toMatch(/It is the catalog now .*\n.*catalog\.db\.replaced-/);
    expect(await replaced()).toHaveLength(aside.length + 1);
    await goOn();
  });

  async function start(): Promise<void> {
    const args = [
      '--no-agent',
      '--config',
      join(dataDir, 'up.yaml'),
      '--copy-catalog',
      '1s',
      '--catalog-copies',
      '5',
    ];
    product = await Product.start({ dataDir, args });
  }

  async function listCopies(): Promise<Output> {
    return await store('restore-catalog', '--list');
  }

  /** The server that the parent has started ends a moment after it; nobody has the directory then. */
  async function kill(): Promise<void> {
    await product.kill();
    await until('the server to end', listCopies, ({ code }) => code === 0);
  }

  async function replaced(): Promise<string[]> {
    return (await readdir(dataDir)).filter((name) => name.startsWith('catalog.db.replaced-'));
  }

  /** Copies of this process so far. */
  async function copies(): Promise<number> {
    const { text } = await product.get('/metrics');
    return Number(/^fleetflame_store_catalog_copies_total\{result="ok"\} (\d+)$/m.exec(text)?.[1]);
  }

  /** Takes again what got no answer, merges on, and is whole then. */
  async function goOn(): Promise<void> {
    await start();
    await writers.resend(product.ingest);
    const levels = async (): Promise<{ readonly level: number }[]> =>
      JSON.parse((await product.get('/status')).text).store.levels;
    await until('everything is merged', levels, (all) => all.every(({ level }) => level > 0));
    await product.stop();
    const place = { dataDir, registry: new Registry() };
    await withOfflineStore(place, (offline) => expectWhole(offline, writers));
    await start();
  }
});

describe('a catalog in PostgreSQL, of objects in S3', () => {
  let cluster: Cluster;
  const writers = new Writers();

  beforeAll(async () => {
    cluster = await Cluster.start({
      settings: {
        FLEETFLAME_ROLLUPS_FIVE_MINUTES: '60d',
        FLEETFLAME_ROLLUPS_HOURS: '90d',
        FLEETFLAME_LIMITS_MAINTENANCE_ROUND_MS: '200',
      },
    });
  });

  afterAll(async () => {
    writers.stop();
    await cluster?.[Symbol.asyncDispose]();
  });

  it('is not touched while servers use it', async () => {
    const writing = writers.write(ingests());
    await more(writers);
    const refused = await store('adopt', '--yes');
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/servers use this store: .*Stop them first/),
    ]);
    const shown = await store('adopt');
    expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('Nothing was changed')]);
    await more(writers);
    writers.stop();
    await writing;
  });

  it('that is lost under load is made anew from the objects; no server starts before, none while that goes on', async () => {
    await killUnderLoad();
    await execute('drop schema public cascade; create schema public');
    const [query] = cluster.role('query');
    if (query === undefined) throw new Error('there is no query');
    await expect(query.startAgain()).rejects.toThrow(
      /ended with 78: [^]*restore-catalog says which backup[^]*store adopt --yes/,
    );
    const advice = await store('restore-catalog');
    expect(advice.code).toBe(69);
    expect(advice.stdout).toMatch(/'store_id' +-- [0-9a-f]{24}\n.*'schema_version' +-- \d/);

    const adopting = store('adopt', '--yes', '--json');
    const isAtWork = async (): Promise<boolean> =>
      (await execute("select name from meta where name like 'offline/%'").catch(() => [])).length > 0;
    await until('it works', isAtWork, (at) => at);
    await expect(query.startAgain()).rejects.toThrow(
      /ended with 1: [^]*store adopt on .* is at work on this store/,
    );
    const adopted = await adopting;
    expect(adopted.code, adopted.stderr).toBe(0);
    expect(JSON.parse(adopted.stdout)).toMatchObject({
      applied: true,
      missing: [],
      unreadable: [],
      doubtful: [],
    });
    await goOn();
  });

  it('that is restored from a backup is completed by what was written since', async () => {
    const writing = writers.write(ingests());
    await more(writers);
    const dump = join(cluster.directory, 'catalog.dump');
    cluster.postgres.dump(cluster.catalogUrl, dump);
    await more(writers);
    writers.stop();
    await writing;
    await killUnderLoad();
    cluster.postgres.restore(cluster.catalogUrl, dump);
    // Those that were killed, as the backup knows them, are forgotten after a while.
    const adopted = await until(
      'it is adopted',
      () => store('adopt', '--yes', '--json'),
      ({ code }) => code === 0,
      120_000,
    );
    expect(JSON.parse(adopted.stdout)).toMatchObject({ missing: [], unreadable: [], doubtful: [] });
    await goOn();
  });

  function ingests() {
    return cluster.role('ingest').map(({ ingest }) => ingest);
  }

  async function store(...args: readonly string[]): Promise<Output> {
    return await run(process.execPath, [MAIN, 'store', ...args, ...cluster.shared], cluster.environment);
  }

  async function killUnderLoad(): Promise<void> {
    const writing = writers.write(ingests());
    await more(writers);
    await Promise.all(cluster.processes.map((process) => process.kill()));
    await writing;
  }

  async function execute(statements: string): Promise<readonly unknown[]> {
    return await cluster.postgres.execute(cluster.catalogUrl, statements);
  }

  async function goOn(): Promise<void> {
    await Promise.all(cluster.processes.map((process) => process.startAgain()));
    const [ingest] = ingests();
    const [compactor] = cluster.role('compactor');
    if (ingest === undefined || compactor === undefined) throw new Error('roles are missing');
    await writers.resend(ingest);
    const levels = async (): Promise<{ readonly level: number }[]> =>
      JSON.parse((await compactor.get('/status')).text).store.levels;
    await until('everything is merged', levels, (all) => all.every(({ level }) => level > 0));
    const place = { ...cluster.place, registry: new Registry() };
    await withOfflineStore(place, (offline) => expectWhole(offline, writers));
  }
});
