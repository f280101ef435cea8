/** What every engine must do alike, on a real SQLite, a real PostgreSQL, and in memory. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONTRACTED, memoryPlace, TestEngine, type EmptyPlace } from '../testing/catalog-engines.ts';
import { WHOLE, type BatchId, type BlockEntry } from './block-entry.ts';
import { ACCEPTED_FOR_MS } from './catalog.ts';

function entry(id: string, fields: Partial<BlockEntry> = {}): BlockEntry {
  return {
    ...WHOLE,
    id,
    key: `blocks/${id}`,
    level: 0,
    timeMinMs: 1000,
    timeMaxMs: 1999,
    sizeBytes: 10,
    rows: 3,
    ...fields,
  };
}

const of = (seq: number, content?: string): BatchId => ({
  ...batch('x', seq),
  ...(content === undefined ? {} : { content }),
});
const batch = (agentId: string, seq: number): BatchId => ({ agentId, seq: BigInt(seq) });
const ALL = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as const;

describe.each(CONTRACTED)('catalog in %s', (name) => {
  let engine: TestEngine | undefined;
  beforeAll(async () => {
    if (name !== 'memory') engine = await TestEngine.start(name);
  });
  afterAll(() => engine?.[Symbol.asyncDispose]());
  const newPlace = async (): Promise<EmptyPlace> => (await engine?.newPlace()) ?? memoryPlace();

  test('a commit makes its block visible and its batches known, also after a restart', async () => {
    using place = await newPlace();
    {
      await using catalog = await place.open();
      expect(await catalog.commit(entry('a'), [batch('x', 0), batch('x', 1)], 5)).toEqual({
        committed: true,
      });
    }
    await using catalog = await place.open();
    expect(await catalog.view(...ALL)).toEqual({
      blocks: [entry('a')],
      quarantined: [],
      newestSampleMs: 1999,
    });
    expect(await catalog.commit(entry('b'), [batch('x', 1)], 6)).toEqual({
      committed: false,
      duplicates: [batch('x', 1)],
      conflicts: [],
    });
  });

  test('I2: a commit with known batches changes nothing and names exactly those', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    const many = Array.from({ length: 2500 }, (_, index) => batch(`agent-${index % 7}`, index));
    await catalog.commit(entry('a'), [many[3]!, many[1800]!, many[2499]!], 5);
    const result = await catalog.commit(entry('b'), many, 6);
    expect(result).toEqual({
      committed: false,
      duplicates: [many[3], many[1800], many[2499]],
      conflicts: [],
    });
    expect((await catalog.view(...ALL)).blocks).toEqual([entry('a')]);
    expect((await catalog.totals()).batches).toBe(3);
    const rest = many.filter((_, index) => ![3, 1800, 2499].includes(index));
    expect(await catalog.commit(entry('c'), rest, 7)).toEqual({ committed: true });
  });

  test('I2: a number that is taken by another content is a conflict, not a repeat', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    // The third is a row of a version that kept no hash.
    await catalog.commit(entry('a'), [of(1, 'one'), of(2, 'two'), of(3)], 5);
    const again = [of(1, 'one'), of(2, 'other'), of(3, 'three'), of(4, 'four')];
    expect(await catalog.commit(entry('b'), again, 6)).toEqual({
      committed: false,
      duplicates: [again[0], again[2]],
      conflicts: [again[1]],
    });
    // As an ingest process of that version asks.
    expect(await catalog.commit(entry('b'), [of(2)], 6)).toMatchObject({
      duplicates: [of(2)],
      conflicts: [],
    });
    const twice = [of(5, 'five'), of(5, 'five'), of(5, 'other')];
    expect(await catalog.commit(entry('b'), twice, 7)).toEqual({
      committed: false,
      duplicates: [twice[1]],
      conflicts: [twice[2]],
    });
    expect((await catalog.totals()).batches).toBe(3);
    const others = Array.from({ length: 2500 }, (_, index) => of(index + 10, `${index}`));
    await catalog.commit(entry('c'), others, 8);
    const changed = others.map((one, index) => (index % 1000 === 7 ? of(index + 10, 'changed') : one));
    const result = await catalog.commit(entry('d'), changed, 9);
    expect(result).toMatchObject({ conflicts: [changed[7], changed[1007], changed[2007]] });
    expect(result.committed ? [] : result.duplicates).toHaveLength(2497);
  });

  test('I2: of concurrent commits of one batch exactly one succeeds', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => catalog.commit(entry(`b${index}`), [batch('x', 1)], 5)),
    );
    expect(results.filter((result) => result.committed)).toHaveLength(1);
    expect((await catalog.view(...ALL)).blocks).toHaveLength(1);
  });

  test('a batch named twice in one segment is a duplicate of itself', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    const result = await catalog.commit(entry('a'), [batch('x', 1), batch('x', 1)], 5);
    expect(result).toEqual({ committed: false, duplicates: [batch('x', 1)], conflicts: [] });
  });

  test('a snapshot holds the blocks with a sample in its half-open range', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    await catalog.commit(entry('a', { timeMinMs: 1000, timeMaxMs: 1999 }), [], 5);
    await catalog.commit(entry('b', { timeMinMs: 2000, timeMaxMs: 2999 }), [], 5);
    const ids = async (from: number, to: number) =>
      (await catalog.view(from, to)).blocks.map((block) => block.id);
    expect(await ids(0, 1000)).toEqual([]);
    expect(await ids(0, 1001)).toEqual(['a']);
    expect(await ids(1999, 2000)).toEqual(['a']);
    expect(await ids(1999, 2001)).toEqual(['a', 'b']);
    expect(await ids(3000, 4000)).toEqual([]);
    expect((await catalog.view(3000, 4000)).newestSampleMs).toBe(2999);
  });

  test('I5: a swap replaces all inputs or nothing', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    for (const id of ['a', 'b', 'c']) await catalog.commit(entry(id), [], 5);
    expect(await catalog.swap({ inputs: ['a', 'b'], outputs: [entry('m', { level: 1 })] }, 6)).toBe(
      'swapped',
    );
    expect(await catalog.swap({ inputs: ['b', 'c'], outputs: [entry('n', { level: 1 })] }, 7)).toBe(
      'inputs_gone',
    );
    expect(await catalog.swap({ inputs: ['c', 'nothing'], outputs: [entry('n')] }, 7)).toBe('inputs_gone');
    expect((await catalog.view(...ALL)).blocks.map((block) => block.id)).toEqual(['c', 'm']);
    expect((await catalog.deletedBefore(10, 100)).map((block) => block.id)).toEqual(['a', 'b']);
    await catalog.relevel('c', 2);
    await catalog.relevel('a', 2);
    expect((await catalog.totals()).levels.map(({ level, blocks }) => [level, blocks])).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  test('I3: a commit that settles as absent can never be committed afterwards', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    await catalog.commit(entry('a'), [batch('x', 0)], 5);
    expect(await catalog.settle(entry('a'), 6)).toBe('committed');
    expect(await catalog.settle(entry('b'), 6)).toBe('absent');
    expect(await catalog.settle(entry('b'), 7)).toBe('absent');
    await expect(catalog.commit(entry('b'), [batch('x', 1)], 8)).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(catalog.swap({ inputs: ['a'], outputs: [entry('b')] }, 8)).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect((await catalog.view(...ALL)).blocks.map((block) => block.id)).toEqual(['a']);
    expect(await catalog.commit(entry('c'), [batch('x', 1)], 9)).toEqual({ committed: true });
  });

  test('I7: a quarantined block leaves the blocks and is named with its reason', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    await catalog.commit(entry('a'), [], 5);
    await catalog.commit(entry('b'), [], 5);
    expect(await catalog.quarantine('a', 'bad checksum', 7)).toBe(true);
    expect(await catalog.quarantine('a', 'again', 8)).toBe(false);
    expect(await catalog.quarantine('nothing', 'x', 8)).toBe(false);
    const view = await catalog.view(...ALL);
    expect(view.blocks.map((block) => block.id)).toEqual(['b']);
    expect(view.quarantined).toEqual([{ ...entry('a'), reason: 'bad checksum', sinceMs: 7 }]);
    await catalog.quarantine('b', 'cut short', 9);
    const since = async (ms: number, limit = 9) =>
      (await catalog.quarantinedSince(ms, limit)).map(({ id, reason, sinceMs }) => [id, reason, sinceMs]);
    expect(await since(0)).toEqual([
      ['b', 'cut short', 9],
      ['a', 'bad checksum', 7],
    ]);
    expect(await since(0, 1)).toEqual([['b', 'cut short', 9]]);
    expect(await since(8)).toEqual([['b', 'cut short', 9]]);
    expect(await catalog.release('b')).toBe(true);
    expect(await catalog.release('b')).toBe(false);
    expect((await catalog.view(...ALL)).blocks.map((block) => block.id)).toEqual(['b']);
    expect((await catalog.totals()).quarantined).toBe(1);
    await catalog.expireBlocks(0, 5000, 9);
    expect((await catalog.totals()).quarantined).toBe(0);
  });

  test('deleted blocks go through removed to forgotten', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    await catalog.commit(entry('old', { timeMaxMs: 1500 }), [], 5);
    await catalog.commit(entry('new', { timeMaxMs: 2500 }), [], 5);
    expect(await catalog.expireBlocks(0, 2000, 100)).toBe(1);
    expect(await catalog.deletedBefore(100, 10)).toEqual([]);
    expect(await catalog.deletedBefore(101, 10)).toEqual([entry('old', { timeMaxMs: 1500 })]);
    expect((await catalog.totals()).deleted).toEqual({ blocks: 1, bytes: 10 });
    await catalog.markRemoved(['old'], 200);
    expect(await catalog.deletedBefore(1000, 10)).toEqual([]);
    expect(await catalog.keyStates(['blocks/old', 'blocks/new', 'blocks/other'])).toEqual(
      new Map([
        ['blocks/old', 'removed'],
        ['blocks/new', 'live'],
      ]),
    );
    expect(await catalog.fates(['old', 'new', 'other'])).toEqual(
      new Map([
        ['old', { state: 'removed', rolledUp: false }],
        ['new', { state: 'live', rolledUp: false }],
      ]),
    );
    expect(await catalog.purgeRemoved(201)).toBe(1);
    expect([...(await catalog.keyStates(['blocks/old', 'blocks/new'])).keys()]).toEqual(['blocks/new']);
  });

  test('batches are forgotten when they are old enough', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    await catalog.commit(entry('a'), [batch('x', 0)], 5);
    await catalog.commit(entry('b'), [batch('x', 1)], 6);
    expect(await catalog.countKnown([batch('x', 0), batch('x', 1), batch('y', 1)])).toBe(2);
    expect(await catalog.expireBatches(6, 6)).toBe(1);
    expect(await catalog.countKnown([batch('x', 0), batch('x', 1), batch('y', 1)])).toBe(1);
    expect(await catalog.commit(entry('c'), [batch('x', 0)], 7)).toEqual({ committed: true });
    expect((await catalog.commit(entry('d'), [batch('x', 1)], 7)).committed).toBe(false);
  });

  test('a seq that a float64 cannot hold is refused and nothing is committed', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    const commit = catalog.commit(entry('a'), [{ agentId: 'x', seq: 2n ** 53n }], 5);
    await expect(commit).rejects.toMatchObject({ code: 'invalid_input', field: 'seq' });
    expect((await catalog.view(...ALL)).blocks).toEqual([]);
  });

  test('live blocks are listed page by page, quarantined ones with their reason, deleted ones not', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    // Equal times, so that a page ends within them.
    for (const [index, id] of ['d', 'a', 'c', 'b', 'e'].entries()) {
      await catalog.commit(entry(id, { timeMinMs: id === 'e' ? 500 : 1000 }), [batch('x', index)], 5);
    }
    await catalog.quarantine('b', 'bad checksum', 7);
    await catalog.swap({ inputs: ['c'], outputs: [] }, 8);
    const ids: string[] = [];
    let after: { timeMinMs: number; id: string } | undefined;
    for (;;) {
      const page = await catalog.page({ fromMs: 0, toMs: 5000 }, after, 2);
      ids.push(...page.map(({ block }) => block.id));
      after = page.at(-1)?.block;
      if (page.length < 2) break;
    }
    expect(ids).toEqual(['e', 'a', 'b', 'd']);
    expect(await catalog.page({ fromMs: 2000, toMs: 5000 }, undefined, 9)).toEqual([]);
    expect((await catalog.find('b'))?.quarantine).toEqual({ reason: 'bad checksum', sinceMs: 7 });
    expect(await catalog.find('d')).toEqual({ block: entry('d'), quarantine: undefined });
    expect(await catalog.find('c')).toBeUndefined();
  });

  test('the clock of the database is that of the wall', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    expect(Math.abs((await catalog.clockMs()) - Date.now())).toBeLessThan(60_000);
  });

  test('live blocks are listed by id, without those whose object may be missing', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    for (const id of ['b', 'C', 'a-1', 'a1', 'd']) await catalog.commit(entry(id), [], 5);
    await catalog.quarantine('b', 'x', 6);
    await catalog.swap({ inputs: ['d'], outputs: [] }, 6);
    const ids = async (after: string) => (await catalog.liveAfter(after, 2)).map(({ id }) => id);
    expect(await ids('')).toEqual(['C', 'a-1']);
    expect(await ids('a-1')).toEqual(['a1']);
  });

  test('I2: who stood still while batches were forgotten is refused, and may come again', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    const forgottenMs = 10 * ACCEPTED_FOR_MS;
    await catalog.commit(entry('a'), [batch('x', 1)], 5);
    expect(await catalog.expireBatches(6, forgottenMs)).toBe(1);
    const late = catalog.commit(entry('b'), [batch('x', 1)], forgottenMs - ACCEPTED_FOR_MS - 1);
    await expect(late).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('forgotten'),
    });
    expect(await catalog.settle(entry('b'), forgottenMs)).toBe('absent');
    const fresh = await catalog.commit(entry('c'), [batch('x', 2)], forgottenMs - ACCEPTED_FOR_MS);
    expect(fresh).toEqual({ committed: true });
  });

  test('expiry goes on until nothing old is left, however much it is', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    for (let at = 0; at < 3; at++) {
      const batches = Array.from({ length: 4000 }, (_, index) => batch(`agent-${at}`, index));
      await catalog.commit(entry(`b${at}`), batches, at);
    }
    expect(await catalog.expireBatches(2, 2)).toBe(8000);
    expect((await catalog.totals()).batches).toBe(4000);
  });
});
