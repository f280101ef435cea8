import { bucketName, labelBucket } from '@fleetflame/profile';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { QueryServer } from './testing/query-server.ts';
import { commitFleet, refusal, rows, scope } from './testing/questions.ts';

let server: QueryServer;
beforeEach(async () => {
  server = await QueryServer.start();
  await commitFleet(server);
});
afterEach(async () => server.close());

test('values in buckets add up to those by value, also from the cache and where the range cuts a block', async () => {
  for (const range of [{}, {}, { to: 5000 }]) {
    const byHost = await server.client.flameGraph({ scope: scope(range), groupBy: ['host_name'] });
    for (const buckets of [1, 2, 32]) {
      const asked = { scope: scope(range), groupBy: ['host_name'], groupBuckets: buckets };
      const byBucket = await server.client.flameGraph(asked);
      const sums = new Map<string, number>();
      for (const row of rows(byHost.table)) {
        const [, host, path = '', total] = /^all(?:;([^; ]+)(.*?))? (\d+) \d+$/.exec(row) ?? [];
        const key = host === undefined ? 'all' : `all;${bucketName(labelBucket(host, buckets))}${path}`;
        sums.set(key, (sums.get(key) ?? 0) + Number(total));
      }
      const found = new Map(
        rows(byBucket.table).map((row) => [row.replace(/ \d+ \d+$/, ''), Number(row.split(' ').at(-2))]),
      );
      expect(found).toEqual(sums);
    }
  }
});

test('series without the label stay apart, and too many buckets are refused', async () => {
  const byZone = await server.client.flameGraph({ scope: scope(), groupBy: ['zone'], groupBuckets: 4 });
  expect(rows(byZone.table)).toContain('all;(no zone) 143 0');
  const refused = server.client.flameGraph({ scope: scope(), groupBy: ['zone'], groupBuckets: 2000 });
  expect(await refusal(refused)).toContain('group_buckets is 2000, at most 1024');
});
