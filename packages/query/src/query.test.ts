import { decodeFlameTable, decodePprof } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { ExportFormat } from '@fleetflame/proto/query/v1/query';
import { afterEach, describe, expect, test } from 'vitest';
import type { QueryLimits } from './limits.ts';
import { QueryServer } from './testing/query-server.ts';
import {
  ALLOC,
  commitFleet,
  CPU,
  present,
  refusal,
  rows,
  scope,
  T,
  type ScopeInput,
} from './testing/questions.ts';

let server: QueryServer;
afterEach(async () => server.close());

async function start(limits: Partial<QueryLimits> = {}): Promise<QueryServer> {
  server = await QueryServer.start(limits);
  return server;
}

async function startFleet(limits: Partial<QueryLimits> = {}): Promise<QueryServer> {
  await start(limits);
  await commitFleet(server);
  return server;
}

describe('FlameGraph', () => {
  test('sums all blocks of the range', async () => {
    const { client } = await startFleet();
    const answer = await client.flameGraph({ scope: scope() });
    expect(rows(answer.table)).toEqual([
      'all 150 0',
      'all;main 150 0',
      'all;main;gc 4 4',
      'all;main;handle 45 0',
      'all;main;handle;parse 33 33',
      'all;main;handle;write 12 12',
      'all;main;idle 1 1',
      'all;main;query 100 0',
      'all;main;query;scan 100 100',
    ]);
    expect([answer.total, answer.prunedNodes, answer.prunedValue]).toEqual([150n, 0n, 0n]);
    expect(answer.period).toBe(10_000_000n);
    expect(present(answer.coverage)).toMatchObject({
      blocksExpected: 4,
      blocksAnswered: 4,
      missing: [],
      newestSampleMs: BigInt(T + 9999),
      profileType: CPU,
      unit: 'nanoseconds',
      sampleRows: 6n,
      series: 3,
      unnamedSelf: 0n,
    });
    expect(answer.coverage?.bytesRead).toBeGreaterThan(1000n);
  });

  test.each([
    ['{service_name="api"}', 50n],
    ['{service_name!="api"}', 100n],
    ['{host_name=~"web-.*"}', 50n],
    ['{service_name="api",host_name!~"web-1"}', 7n],
    ['{zone=""}', 143n],
    ['{zone="eu"}', 7n],
    ['{service_name="nobody"}', 0n],
  ])('%s selects %s', async (selector, total) => {
    const { client } = await startFleet();
    expect((await client.flameGraph({ scope: scope({ selector }) })).total).toBe(total);
    expect((await client.top({ scope: scope({ selector }) })).total).toBe(total);
  });

  test('groups by labels at the top', async () => {
    const { client } = await startFleet();
    const answer = await client.flameGraph({
      scope: scope({ selector: '{service_name="api"}' }),
      groupBy: ['zone', 'host_name'],
    });
    expect(rows(answer.table).filter((row) => row.split(';').length <= 4)).toEqual([
      'all 50 0',
      'all;(no zone) 43 0',
      'all;(no zone);web-1 43 0',
      'all;(no zone);web-1;main 43 0',
      'all;eu 7 0',
      'all;eu;web-2 7 0',
      'all;eu;web-2;main 7 0',
    ]);
  });

  test('is exact where the range cuts blocks, at every cut', async () => {
    await start();
    const lines = Array.from({ length: 20 }, (_, i) => `main;f${i % 3} ${2 ** i} @+${i * 1000}`);
    await server.commit(blockFromText(lines.join('\n')), blockFromText('main;g 1 @+7000\nmain;g 1 @+12000'));
    const ask = async (from: number, to: number): Promise<bigint> =>
      (await server.client.flameGraph({ scope: scope({ from, to }) })).total;
    for (const [from, to] of [
      [0, 1],
      [0, 20_000],
      [1, 20_000],
      [5000, 12_000],
      [5000, 12_001],
      [7001, 7002],
      [19_000, 19_001],
    ] as const) {
      let expected = [7000, 12_000].filter((at) => at >= from && at < to).length;
      for (let i = 0; i < 20; i++) if (i * 1000 >= from && i * 1000 < to) expected += 2 ** i;
      expect([from, to, await ask(from, to)]).toEqual([from, to, BigInt(expected)]);
    }
    // Neighbouring ranges add up to the whole, from whatever cache they come.
    const parts = await Promise.all([ask(0, 6500), ask(6500, 6501), ask(6501, 60_000)]);
    expect(parts.reduce((a, b) => a + b)).toBe(await ask(0, 60_000));
  });

  test('prunes the narrowest nodes and says how many, how much and where', async () => {
    const { client } = await startFleet();
    const answer = await client.flameGraph({ scope: scope(), maxNodes: 4 });
    expect(rows(answer.table)).toEqual([
      'all 150 0',
      'all;main 150 0',
      'all;main;query 100 0',
      'all;main;query;scan 100 100',
    ]);
    expect([answer.total, answer.prunedNodes, answer.prunedValue]).toEqual([150n, 5n, 50n]);
    expect([...decodeFlameTable(answer.table).prunedNodes]).toEqual([0, 5, 0, 0]);
  });

  test('prunes within the focused path, so focus shows more', async () => {
    const { client } = await startFleet();
    const focus = ['main', 'handle'];
    const answer = await client.flameGraph({ scope: scope(), maxNodes: 5, focus });
    expect(rows(answer.table)).toEqual([
      'all 45 0',
      'all;main 45 0',
      'all;main;handle 45 0',
      'all;main;handle;parse 33 33',
      'all;main;handle;write 12 12',
    ]);
    const gone = await client.flameGraph({ scope: scope(), focus: ['main', 'gone'] });
    expect([gone.total, rows(gone.table)]).toEqual([0n, ['all 0 0']]);
  });

  test('answers a repeated question the same from its caches, without reading', async () => {
    const { client } = await startFleet();
    const cold = await client.flameGraph({ scope: scope() });
    const warm = await client.flameGraph({ scope: scope() });
    expect(warm.table).toEqual(cold.table);
    expect({ ...warm.coverage, bytesRead: 0n }).toEqual({ ...cold.coverage, bytesRead: 0n });
    expect(warm.coverage?.bytesRead).toBe(0n);
    const top = await client.top({ scope: scope() });
    expect(top.coverage?.bytesRead).toBe(0n);
    const metrics = await server.registry.metrics();
    expect(metrics).toContain('fleetflame_query_blocks_total{outcome="partial"} 6');
    expect(metrics).toContain('fleetflame_query_seconds_count{rpc="FlameGraph",outcome="ok"} 2');
  });

  test('sees a new segment at once', async () => {
    const { client } = await startFleet();
    expect((await client.flameGraph({ scope: scope() })).total).toBe(150n);
    await server.commit(blockFromText('main;late 7 @+20000'));
    const answer = await client.flameGraph({ scope: scope() });
    expect(answer.total).toBe(157n);
    expect(answer.coverage?.newestSampleMs).toBe(BigInt(T + 20_000));
  });
});

describe('Top', () => {
  test('lists functions by self, recursion counted once, and says what it left out', async () => {
    await start();
    await server.commit(blockFromText('main;fib;fib;fib 10\nmain;fib;print 5\nmain 1'));
    const { functions, total } = await server.client.top({ scope: scope() });
    expect(functions.map(({ name, self, total: all }) => [name, self, all])).toEqual([
      ['fib', 10n, 15n],
      ['print', 5n, 5n],
      ['main', 1n, 16n],
    ]);
    expect(total).toBe(16n);
    const short = await server.client.top({ scope: scope(), limit: 1 });
    expect([short.functions.length, short.omittedFunctions, short.omittedSelf]).toEqual([1, 2n, 6n]);
  });
});

describe('Series', () => {
  test('is exact per step and group', async () => {
    const { client } = await startFleet();
    const answer = await client.series({
      scope: scope({ to: 10_000 }),
      stepMs: 5000n,
      groupBy: ['service_name'],
    });
    expect(answer.timesMs).toEqual([BigInt(T), BigInt(T + 5000)]);
    expect(answer.groups.map(({ labels, values, total }) => [labels, values, total])).toEqual([
      [{ service_name: 'db' }, [100n, 0n], 100n],
      [{ service_name: 'api' }, [33n, 17n], 50n],
    ]);
  });

  test('answers the same from footers, totals and points', async () => {
    const { client } = await startFleet();
    const sums = async (stepMs: bigint, groupBy: string[], selector = ''): Promise<bigint> => {
      const { groups } = await client.series({ scope: scope({ selector }), stepMs, groupBy });
      return groups.reduce((sum, { total }) => sum + total, 0n);
    };
    // A step that holds whole blocks, and one that cuts them; with groups that footers know and not.
    for (const stepMs of [1000n, 1_000_000_000n]) {
      for (const groupBy of [[], ['service_name'], ['host_name'], ['service_name', 'zone']]) {
        expect(await sums(stepMs, groupBy)).toBe(150n);
        expect(await sums(stepMs, groupBy, '{service_name="api"}')).toBe(50n);
        expect(await sums(stepMs, groupBy, '{host_name="web-2"}')).toBe(7n);
        // From the cache this time.
        expect(await sums(stepMs, groupBy, '{host_name="web-2"}')).toBe(7n);
      }
    }
    expect(await server.registry.metrics()).toMatch(/fleetflame_query_blocks_total\{outcome="footer"\} \d+/u);
  });

  test('keeps the largest groups and sums the rest', async () => {
    const { client } = await startFleet();
    const { groups } = await client.series({
      scope: scope(),
      stepMs: 60_000n,
      groupBy: ['host_name'],
      limit: 1,
    });
    expect(groups.map(({ labels, total, rest }) => [labels, total, rest])).toEqual([
      [{ host_name: 'db-1' }, 100n, false],
      [{}, 50n, true],
    ]);
  });
});

describe('LabelNames, LabelValues and ProfileTypes', () => {
  test('names are those of matching series with samples in the range', async () => {
    const { client } = await startFleet();
    const names = async (input: ScopeInput): Promise<string[]> =>
      (await client.labelNames({ scope: scope(input) })).names;
    expect(await names({})).toEqual(['host_name', 'service_name', 'zone']);
    expect(await names({ selector: '{service_name="db"}' })).toEqual(['host_name', 'service_name']);
    expect(await names({ type: ALLOC })).toEqual(['service_name']);
    expect(await names({ type: '', selector: '{service_name="api"}' })).toEqual([
      'host_name',
      'service_name',
      'zone',
    ]);
    expect(await names({ from: 9000 })).toEqual(['host_name', 'service_name']);
    expect(await names({ from: 20_000 })).toEqual([]);
  });

  test('values come with totals, largest first', async () => {
    const { client } = await startFleet();
    const values = async (name: string, input: ScopeInput = {}, limit = 0): Promise<unknown> => {
      const answer = await client.labelValues({ scope: scope(input), name, limit });
      return [...answer.values.map(({ value, total }) => [value, total]), Number(answer.omitted)];
    };
    expect(await values('service_name')).toEqual([['db', 100n], ['api', 50n], 0]);
    expect(await values('service_name', { from: 5000 })).toEqual([['api', 17n], 0]);
    expect(await values('host_name')).toEqual([['db-1', 100n], ['web-1', 43n], ['web-2', 7n], 0]);
    expect(await values('host_name', {}, 2)).toEqual([['db-1', 100n], ['web-1', 43n], 1]);
    expect(await values('host_name', { selector: '{service_name="api"}' })).toEqual([
      ['web-1', 43n],
      ['web-2', 7n],
      0,
    ]);
    expect(await values('zone')).toEqual([['eu', 7n], 0]);
    expect(await values('nope')).toEqual([0]);
  });

  test('profile types come with exact totals, cut by the range too', async () => {
    const { client } = await startFleet();
    const types = async (from: number, to: number): Promise<unknown> => {
      const answer = await client.profileTypes({ fromMs: BigInt(T + from), toMs: BigInt(T + to) });
      return answer.types.map(({ id, sampleType, unit, total }) => [id, sampleType, unit, total]);
    };
    expect(await types(0, 60_000)).toEqual([
      [ALLOC, 'alloc_space', 'bytes', 4096n],
      [CPU, 'cpu', 'nanoseconds', 150n],
    ]);
    expect(await types(5000, 6000)).toEqual([[CPU, 'cpu', 'nanoseconds', 16n]]);
    expect(await types(20_000, 30_000)).toEqual([]);
  });
});

describe('Export', () => {
  test('folded text has every stack', async () => {
    const { client } = await startFleet();
    const folded = async (groupBy: string[], input: ScopeInput = {}): Promise<string[]> => {
      const answer = await client.export({ scope: scope(input), format: ExportFormat.FOLDED, groupBy });
      return new TextDecoder().decode(answer.file).trim().split('\n');
    };
    expect(await folded([])).toEqual([
      'main;gc 4',
      'main;handle;parse 33',
      'main;handle;write 12',
      'main;idle 1',
      'main;query;scan 100',
    ]);
    expect(await folded(['zone'], { from: 5000, selector: '{service_name="api"}' })).toEqual([
      '(no zone);main;handle;write 12',
      '(no zone);main;idle 1',
      'eu;main;gc 4',
    ]);
  });

  test('pprof has the same total, with labels', async () => {
    const { client } = await startFleet();
    const answer = await client.export({ scope: scope(), format: ExportFormat.PPROF });
    expect(answer.total).toBe(150n);
    const { totals, block } = decodePprof(answer.file, { labels: {} });
    expect([...totals.values()]).toEqual([150]);
    expect([...block.strings]).toEqual(expect.arrayContaining(['web-1', 'web-2', 'db-1', 'eu']));
    const one = await client.export({
      scope: scope(),
      format: ExportFormat.PPROF,
      groupBy: ['service_name'],
    });
    expect(decodePprof(one.file, { labels: {} }).block.strings).not.toContain('web-1');
  });

  test('needs a format, and is refused beyond its limit', async () => {
    const { client } = await startFleet({ exportRows: 2 });
    expect(await refusal(client.export({ scope: scope() }))).toMatch(/invalid_input: format is missing/u);
    expect(await refusal(client.export({ scope: scope(), format: ExportFormat.FOLDED }))).toMatch(
      /limit_exceeded/u,
    );
  });
});

test('with memory for one block and one export at a time, many questions at once are all answered', async () => {
  const question = { scope: scope(), groupBy: ['service_name'] };
  const expected = rows((await (await startFleet()).client.flameGraph(question)).table);
  await server.close();
  const { client, registry } = await startFleet({
    decodedBytes: 1,
    exports: 1,
    blockCacheBytes: 0,
    gatheredBytes: 1,
  });
  const ask = async (): Promise<unknown[]> => [
    rows((await client.flameGraph(question)).table),
    (await client.series({ scope: scope(), stepMs: 1000n })).groups,
  ];
  const answers = await Promise.all(Array.from({ length: 8 }, ask));
  for (const answer of answers) expect(answer).toEqual([expected, answers[0]?.[1]]);
  const format = ExportFormat.FOLDED;
  const exports = await Promise.all(
    Array.from({ length: 8 }, () => client.export({ scope: scope(), format })),
  );
  expect(exports.map(({ total }) => total)).toEqual(exports.map(() => 150n));
  const metrics = await registry.metrics();
  for (const what of ['read', 'export'])
    expect(metrics).toMatch(new RegExp(`fleetflame_query_delayed_total\\{what="${what}"\\} [1-9]`));
  expect(metrics).toContain('fleetflame_query_decoded_bytes 0');
});
