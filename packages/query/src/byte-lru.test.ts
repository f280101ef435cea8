import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { ByteLru } from './byte-lru.ts';
import { QueryMetrics } from './query-metrics.ts';

test('the entries used last stay, within the bytes', () => {
  const lru = new ByteLru<string>('block', 100, new QueryMetrics(new Registry()));
  for (const key of ['a', 'b', 'c', 'd']) lru.set(key, key, 25);
  expect(lru.get('a')).toBe('a');
  lru.set('e', 'e', 25);
  expect(['a', 'b', 'c', 'd', 'e'].map((key) => lru.get(key))).toEqual(['a', undefined, 'c', 'd', 'e']);
  expect(lru.bytes).toBe(100);
});

test('an entry that would push out most others is not kept', () => {
  const lru = new ByteLru<string>('block', 100, new QueryMetrics(new Registry()));
  lru.set('a', 'small', 10);
  lru.set('a', 'large', 26);
  expect(lru.get('a')).toBeUndefined();
  expect(lru.bytes).toBe(0);
});

test('requests are counted by result', async () => {
  const registry = new Registry();
  const lru = new ByteLru<string>('footer', 100, new QueryMetrics(registry));
  lru.get('a');
  lru.set('a', 'a', 1);
  lru.get('a');
  const metrics = await registry.metrics();
  expect(metrics).toContain('fleetflame_query_cache_requests_total{cache="footer",result="miss"} 1');
  expect(metrics).toContain('fleetflame_query_cache_requests_total{cache="footer",result="hit"} 1');
  expect(metrics).toContain('fleetflame_query_cache_bytes{cache="footer"} 1');
});
