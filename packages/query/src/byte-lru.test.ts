import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { ByteLru } from './byte-lru.ts';
import { CacheShare, clearCacheCells, createCacheCells, heldInCache, type CacheName } from './cache-share.ts';
import { QUERY_LIMITS } from './limits.ts';
import { QueryMetrics } from './query-metrics.ts';

const limits = { ...QUERY_LIMITS, blockCacheBytes: 100, footerCacheBytes: 100 };

function lruOf(name: CacheName, metrics = new QueryMetrics(new Registry())): ByteLru<string> {
  return new ByteLru<string>(new CacheShare(name, limits), metrics);
}

test('the entries used last stay, within the bytes', () => {
  const lru = lruOf('block');
  for (const key of ['a', 'b', 'c', 'd']) lru.set(key, key, 25);
  expect(lru.get('a')).toBe('a');
  lru.set('e', 'e', 25);
  expect(['a', 'b', 'c', 'd', 'e'].map((key) => lru.get(key))).toEqual(['a', undefined, 'c', 'd', 'e']);
  expect(lru.bytes).toBe(100);
});

test('an entry that would push out most others is not kept', () => {
  const lru = lruOf('block');
  lru.set('a', 'small', 10);
  lru.set('a', 'large', 26);
  expect(lru.get('a')).toBeUndefined();
  expect(lru.bytes).toBe(0);
});

test('requests are counted by result', async () => {
  const registry = new Registry();
  const cells = createCacheCells(1);
  const share = new CacheShare('footer', limits, cells);
  const lru = new ByteLru<string>(share, new QueryMetrics(registry, cells));
  lru.get('a');
  lru.set('a', 'a', 1);
  lru.get('a');
  const metrics = await registry.metrics();
  expect(metrics).toContain('fleetflame_query_cache_requests_total{cache="footer",result="miss"} 1');
  expect(metrics).toContain('fleetflame_query_cache_requests_total{cache="footer",result="hit"} 1');
  expect(metrics).toContain('fleetflame_query_cache_bytes{cache="footer"} 1');
});

test('threads share the bytes: one may use all of them until another needs its part', () => {
  const cells = createCacheCells(2);
  let pressed = 0;
  const [first, second] = [0, 1].map(
    (thread) =>
      new ByteLru<string>(
        new CacheShare('block', limits, cells, thread, () => pressed++),
        new QueryMetrics(new Registry(), cells),
      ),
  ) as [ByteLru<string>, ByteLru<string>];
  for (const key of ['a', 'b', 'c', 'd']) first.set(key, key, 25);
  expect([first.bytes, pressed]).toEqual([100, 0]);
  second.set('e', 'e', 25);
  expect([second.bytes, pressed]).toEqual([25, 1]);
  first.trim();
  expect([first.bytes, first.peek('a'), first.peek('b'), heldInCache(cells, 'block')]).toEqual([
    75,
    undefined,
    'b',
    100,
  ]);
  for (const key of ['f', 'g', 'h']) second.set(key, key, 25);
  first.trim();
  // Each has its half, and none can take more of it.
  expect([first.bytes, second.bytes]).toEqual([50, 50]);
  second.set('i', 'i', 25);
  expect([first.bytes, second.bytes, second.peek('i')]).toEqual([50, 50, 'i']);
  clearCacheCells(cells, 0);
  expect(heldInCache(cells, 'block')).toBe(50);
});
