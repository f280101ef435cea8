import { mergeBlocks, type Block } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { QueryServer } from './testing/query-server.ts';
import { present, rows, scope, T } from './testing/questions.ts';

let server: QueryServer;
afterEach(async () => server.close());

describe('a flame graph that is asked for again and again', () => {
  test('is exact when the range moves with the clock over long and short blocks', async () => {
    server = await QueryServer.start();
    const minute = 60_000;
    const blockAt = (fromMinute: number, minutes: number, service: string): Block => {
      const lines = Array.from({ length: minutes * 2 }, (_, i) => {
        const at = (fromMinute + i / 2) * minute;
        return `main;f${i % 7} ${1 + i} @+${at}\nmain;g ${1 + (i % 3)} @+${at}`;
      });
      return blockFromText(lines.join('\n'), { labels: { service_name: service } });
    };
    const blocks = [
      blockAt(0, 200, 'long'),
      blockAt(20, 60, 'hour'),
      blockAt(80, 10, 'ten minutes'),
      ...[90, 91, 92, 93].map((at) => blockAt(at, 1, 'minute')),
    ];
    await server.commit(...blocks);
    const expectedOf = (from: number, to: number): bigint => {
      let sum = 0;
      for (const { samples, timeStartMs } of blocks) {
        for (let point = 0; point < samples.time.length; point++) {
          const at = timeStartMs - T + samples.time[point]!;
          if (at >= from && at < to) sum += samples.value[point]!;
        }
      }
      return BigInt(sum);
    };
    for (const length of [5 * minute, 95 * minute, 300 * minute]) {
      for (let from = -3 * minute; from < 205 * minute; from += 100_000) {
        const range = scope({ from, to: from + length });
        const [flame, top] = [
          await server.client.flameGraph({ scope: range }),
          await server.client.top({ scope: range }),
        ];
        const expected = expectedOf(from, from + length);
        expect([from, length, flame.total, top.total]).toEqual([from, length, expected, expected]);
        const listed = top.functions.reduce((sum, { self }) => sum + self, 0n);
        expect(listed).toBe(expected);
        // The whole answer is the one of a service that has not been asked before.
        if (from % 1_000_000 !== 0) continue;
        const fresh = await server.fresh((client) => client.flameGraph({ scope: range }));
        expect(rows(flame.table)).toEqual(rows(fresh.table));
        expect({ ...present(flame.coverage), bytesRead: 0n }).toEqual({
          ...present(fresh.coverage),
          bytesRead: 0n,
        });
      }
    }
  });

  test('does not take a block for whole from a range that left a service of it out', async () => {
    server = await QueryServer.start();
    const early = blockFromText('main;early 3', { labels: { service_name: 'early' } });
    const late = blockFromText('main;late 4 @+30000', { labels: { service_name: 'late' } });
    await server.commit(mergeBlocks([early, late]));
    const flame = async (from: number): Promise<string[]> =>
      rows((await server.client.flameGraph({ scope: scope({ from }) })).table);
    const series = async (from: number): Promise<bigint[]> =>
      (
        await server.client.series({ scope: scope({ from }), stepMs: 1000n, groupBy: ['host_name'] })
      ).groups.map(({ total }) => total);
    expect(await flame(10_000)).toEqual(['all 4 0', 'all;main 4 0', 'all;main;late 4 4']);
    expect(await series(10_000)).toEqual([4n]);
    expect(await flame(0)).toEqual(['all 7 0', 'all;main 7 0', 'all;main;early 3 3', 'all;main;late 4 4']);
    expect(await series(0)).toEqual([7n]);
  });
});
