/** A catalog that is lost or damaged is put back from a copy, and completed by what the objects know. */
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testSeed } from '@fleetflame/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { DELETED_GRACE_MS } from '../maintenance/remover.ts';
import { DirectoryObjectStore } from '../objects/directory-object-store.ts';
import { Store, type StoreOptions } from '../store.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { batchBlock, BATCH_SUM, sumsByFunction } from '../testing/test-blocks.ts';
import { COPY_PREFIX, listCopies, manifestKey, pieceKey, readManifest } from './catalog-copy.ts';
import { restoreCatalog, type RestoreOptions } from './restore-catalog.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A store whose clock is told; what it was given, by name. */
class Place {
  readonly directory = temporaryDirectory();
  readonly catalog = join(this.directory.path, 'catalog.db');
  readonly clock = { nowMs: Date.UTC(2026, 10, 22) };
  readonly expected = new Map<string, number>();
  registry = new Registry();
  #seq = 0n;

  async open(options: Partial<StoreOptions> = {}): Promise<Store & AsyncDisposable> {
    this.registry = new Registry();
    const store = await Store.open({
      dataDir: this.directory.path,
      retentionMs: 30 * DAY,
      log: pino({ level: 'silent' }),
      registry: this.registry,
      now: () => this.clock.nowMs,
      copies: { everyMs: 10 * MINUTE, kept: 24 },
      ...options,
    });
    return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
  }

  async write(store: Store, name: string): Promise<void> {
    this.clock.nowMs += 20_000;
    const batches = [{ agentId: 'agent', seq: this.#seq++ }];
    const block = batchBlock(name, this.clock.nowMs - 1000);
    expect(await store.commitSegment({ block, batches })).toEqual({ committed: true });
    this.expected.set(name, (this.expected.get(name) ?? 0) + BATCH_SUM);
  }

  /** Maintenance for a while. */
  async pass(store: Store, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5 * MINUTE) {
      this.clock.nowMs += 5 * MINUTE;
      await store.maintain();
    }
  }

  lose(): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(this.catalog + suffix, { force: true });
  }

  async objects(): Promise<DirectoryObjectStore> {
    return await DirectoryObjectStore.create(join(this.directory.path, 'objects'));
  }

  async restore(options: Partial<RestoreOptions> = {}) {
    const objects = await this.objects();
    const all = { objects, path: this.catalog, name: undefined, atMs: undefined, apply: true };
    return await restoreCatalog({ ...all, nowMs: this.clock.nowMs, ...options });
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

test(`whatever was merged and removed since the copy, sums are what they were (FLEETFLAME_SEED=${testSeed()})`, async () => {
  const random = new SeededRandom(testSeed());
  using place = new Place();
  {
    await using store = await place.open();
    for (let step = 0; step < 40; step++) {
      await place.write(store, `s${step % 3}`);
      if (random.below(3) === 0) await place.pass(store, random.below(4) * 5 * MINUTE);
    }
  }
  const names = await listCopies(await place.objects());
  expect(names.length).toBeGreaterThan(3);
  place.lose();
  const refused = await place.open().catch((error: unknown) => error);
  expect(String(refused)).toMatch(
    new RegExp(`store restore-catalog --yes puts the newest copy back \\(${String(names[0])}, .* old\\)`),
  );
  for (const which of [0, -1]) {
    const name = (await listCopies(await place.objects())).at(which);
    const shown = await place.restore({ name, apply: false });
    expect(shown.copy.name).toBe(name);
    const done = await place.restore({ name });
    expect(done.adoption.added).toEqual(shown.adoption.added);
    expect(done.adoption.missing).toEqual([]);
    await using store = await place.open();
    expect(await sumsByFunction(store)).toEqual(place.expected);
    const repeat = {
      block: batchBlock('repeat', place.clock.nowMs),
      batches: [{ agentId: 'agent', seq: 39n }],
    };
    expect(await store.commitSegment(repeat)).toMatchObject({ committed: false });
    await place.pass(store, 2 * DELETED_GRACE_MS + 2 * HOUR);
    expect(await sumsByFunction(store)).toEqual(place.expected);
    expect((await store.status()).quarantined).toBe(0);
  }
});

test('a damaged catalog is refused with the remedy, and kept beside the copy that takes its place', async () => {
  using place = new Place();
  {
    await using store = await place.open();
    await place.write(store, 'before');
    await store.maintain();
    await place.write(store, 'after');
  }
  const bytes = readFileSync(place.catalog);
  bytes.fill(0x5a, 4096, 12_288);
  writeFileSync(place.catalog, bytes);
  await expect(place.open()).rejects.toMatchObject({
    code: 'corrupt_data',
    message: expect.stringMatching(/is damaged .* restore-catalog --yes .* store adopt --yes/),
  });
  const shown = await place.restore({ apply: false });
  expect(shown).toMatchObject({ aside: undefined, adoption: { added: [{}] } });
  expect(readFileSync(place.catalog)).toEqual(bytes);
  const { aside } = await place.restore();
  expect(readFileSync(String(aside))).toEqual(bytes);
  expect(readdirSync(place.directory.path).filter((name) => name.includes('restoring'))).toEqual([]);
  await using store = await place.open();
  expect(await sumsByFunction(store)).toEqual(place.expected);
});

test('so many copies are kept, with their age and bytes; 0 turns them off', async () => {
  using place = new Place();
  {
    await using store = await place.open({ copies: { everyMs: 10 * MINUTE, kept: 3 } });
    await place.write(store, 'a');
    await place.pass(store, HOUR);
    place.clock.nowMs += 5 * MINUTE;
    expect(await listCopies(store.objects)).toHaveLength(3);
    expect(await store.objects.list(COPY_PREFIX)).toHaveLength(6);
    const metrics = await place.registry.metrics();
    expect(metrics).toMatch(/^fleetflame_store_catalog_copies_total\{result="ok"\} [67]$/m);
    expect(metrics).toMatch(/^fleetflame_store_catalog_copy_age_seconds [36]00$/m);
    expect(metrics).toMatch(/^fleetflame_store_catalog_copy_bytes [1-9]\d*$/m);
    // What cannot be copied is a failure that is seen, and takes no copy away.
    rmSync(join(place.directory.path, 'objects', COPY_PREFIX), { recursive: true });
    writeFileSync(join(place.directory.path, 'objects', COPY_PREFIX.slice(0, -1)), '');
    await place.pass(store, 15 * MINUTE);
    expect(await place.registry.metrics()).toMatch(/copies_total\{result="failed"\} [1-9]/);
    expect((await store.status()).tasks.find(({ name }) => name === 'copy')?.lastError).toMatch(/cannot be/);
    rmSync(join(place.directory.path, 'objects', COPY_PREFIX.slice(0, -1)));
  }
  await using store = await place.open({ copies: { everyMs: 0, kept: 3 } });
  await place.pass(store, HOUR);
  expect(await listCopies(store.objects)).toEqual([]);
});

test('the copy of a time, of another store, and one that is damaged', async () => {
  using place = new Place();
  using other = new Place();
  for (const one of [place, other]) {
    await using store = await one.open();
    await one.write(store, 'a');
    await one.pass(store, 30 * MINUTE);
  }
  const objects = await place.objects();
  const [newest = '', second = ''] = await listCopies(objects);
  const { createdMs } = await readManifest(objects, newest);
  expect((await place.restore({ atMs: createdMs - 1, apply: false })).copy.name).toBe(second);
  await expect(place.restore({ atMs: 1000 })).rejects.toMatchObject({ code: 'not_found' });
  await expect(place.restore({ name: 'x' })).rejects.toThrow(/no copy x .* there are \d/);

  const root = join(place.directory.path, 'objects');
  const catalog = readFileSync(place.catalog);
  const piece = readFileSync(join(root, pieceKey(newest, 0)));
  for (const wrong of [piece.subarray(0, 100), readFileSync(join(root, pieceKey(second, 0)))]) {
    writeFileSync(join(root, pieceKey(newest, 0)), wrong);
    await expect(place.restore()).rejects.toMatchObject({ code: 'corrupt_data' });
  }
  copyFileSync(join(other.directory.path, 'objects/store/id'), join(root, 'store/id'));
  await expect(place.restore({ name: second })).rejects.toThrow(/this copy is not of this store/);
  // Without its manifest it is no copy.
  rmSync(join(root, manifestKey(newest)));
  expect((await listCopies(objects))[0]).toBe(second);
  expect(readFileSync(place.catalog)).toEqual(catalog);
  expect(existsSync(`${place.catalog}.restoring`)).toBe(false);
});
