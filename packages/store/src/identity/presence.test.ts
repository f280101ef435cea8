/** A store that several processes share is worked on without servers only while there are none. */
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { MemoryCatalog } from '../testing/memory-catalog.ts';
import { GONE_MS, Presence, withoutServers } from './presence.ts';

const log = pino({ level: 'silent' });
const nothing = (): Promise<undefined> => Promise.resolve(undefined);

/** A catalog whose clock is told. */
class ToldCatalog extends MemoryCatalog {
  nowMs = 1_000_000;

  override clockMs(): Promise<number> {
    return Promise.resolve(this.nowMs);
  }
}

test('servers are named to who wants to be alone, until they have left or been silent for long', async () => {
  const catalog = new ToldCatalog();
  const first = await Presence.enter(catalog, log);
  const second = await Presence.enter(catalog, log);
  await expect(withoutServers(catalog, 'adopt', nothing, nothing)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(new RegExp(`2 servers use this store: .*/${process.pid}-`)),
  });
  await first.leave();
  await expect(withoutServers(catalog, 'adopt', nothing, nothing)).rejects.toThrow(/^A server uses/);
  // As a kill: it says nothing any more, and has left its note.
  const [[name, text] = ['', '']] = await catalog.notes.list('present/');
  await second.leave();
  await catalog.notes.set(name, text);
  catalog.nowMs += GONE_MS;
  await expect(withoutServers(catalog, 'adopt', nothing, nothing)).rejects.toThrow(/^A server uses/);
  catalog.nowMs += 1;
  expect(
    await withoutServers(
      catalog,
      'adopt',
      () => Promise.resolve(4),
      (four) => Promise.resolve(four + 1),
    ),
  ).toBe(5);
  expect(await catalog.notes.list('offline/')).toEqual(new Map());
}, 60_000);

test('no server comes while somebody is alone, and one that came meanwhile ends it', async () => {
  const catalog = new ToldCatalog();
  let late: Presence | undefined;
  const prepare = async (): Promise<void> => {
    await expect(Presence.enter(catalog, log)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('adopt on '),
    });
    expect(await catalog.notes.list('present/')).toEqual(new Map());
    // Its catalog was emptied under it: it was there before, and notes itself again.
    const [[name = ''] = []] = await catalog.notes.list('offline/');
    await catalog.notes.remove(name);
    late = await Presence.enter(catalog, log);
  };
  let begun = false;
  const work = (): Promise<void> => {
    begun = true;
    return Promise.resolve();
  };
  await expect(withoutServers(catalog, 'adopt', prepare, work)).rejects.toThrow(/^A server uses/);
  expect(begun).toBe(false);
  await late?.leave();
  // What was broken off keeps nobody away for ever.
  await catalog.notes.set('offline/adopt on x', JSON.stringify({ untilMs: catalog.nowMs }));
  await expect(Presence.enter(catalog, log)).rejects.toThrow(/adopt on x/);
  catalog.nowMs += 1;
  await (await Presence.enter(catalog, log)).leave();
}, 60_000);
