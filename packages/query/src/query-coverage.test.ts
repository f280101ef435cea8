import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BlockBuilder, decodePprof, type Block } from '@fleetflame/profile';
import { ExportFormat, type Coverage } from '@fleetflame/proto/query/v1/query';
import { afterEach, describe, expect, test } from 'vitest';
import type { QueryLimits } from './limits.ts';
import { QueryServer } from './testing/query-server.ts';
import { ALLOC, commitFleet, CPU, present, refusal, rows, scope, T } from './testing/questions.ts';

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

function lossyBlock(cause: string, samples: number, offset: number): Block {
  const builder = new BlockBuilder();
  const main = builder.stack(
    0,
    builder.location(0, 0, 0, [builder.function(builder.string('main'), 0, 0, 0), 0]),
  );
  builder.add(builder.series(CPU, 1, { service_name: 'api' }), main, T + offset, 1);
  builder.loss(cause, samples);
  return builder.build();
}

const BUILD_ID = 'ab12cd34ab12cd34ab12cd34ab12cd34ab12cd34';

/** main calls work and rest; 0x90 is in none of them. */
function native(): Block {
  const builder = new BlockBuilder();
  const app = builder.mapping(builder.string('/usr/bin/app'), builder.string(BUILD_ID), 'native');
  const series = builder.series(CPU, 1, { service_name: 'app' });
  const main = builder.stack(0, builder.location(app, 0x14, 0, []));
  for (const [address, value] of [
    [0x20, 1],
    [0x31, 2],
    [0x90, 4],
  ] as const) {
    builder.add(series, builder.stack(main, builder.location(app, address, 0, [])), T, value);
  }
  return builder.build();
}

describe('coverage', () => {
  test('an empty store gives an empty answer to every question', async () => {
    const { client } = await start();
    const flame = await client.flameGraph({ scope: scope() });
    expect([flame.total, rows(flame.table)]).toEqual([0n, ['all 0 0']]);
    expect(present(flame.coverage)).toMatchObject({
      blocksExpected: 0,
      newestSampleMs: 0n,
      profileType: CPU,
    });
    expect((await client.top({ scope: scope({ type: 'cpu' }) })).functions).toEqual([]);
    const { timesMs, groups } = await client.series({ scope: scope({ to: 3000 }), stepMs: 1000n });
    expect([timesMs.length, groups]).toEqual([3, []]);
    expect((await client.labelNames({ scope: scope() })).names).toEqual([]);
    expect((await client.labelValues({ scope: scope(), name: 'service_name' })).values).toEqual([]);
    expect((await client.profileTypes({ fromMs: 0n, toMs: 1n })).types).toEqual([]);
    const file = await client.export({ scope: scope(), format: ExportFormat.PPROF });
    expect([...decodePprof(file.file, { labels: {} }).totals.values()]).toEqual([0]);
  });

  test('a type without data is empty, an unknown short name lists what there is', async () => {
    const { client } = await startFleet();
    const answer = await client.top({ scope: scope({ type: 'wall:wall:nanoseconds:wall:nanoseconds' }) });
    expect([answer.total, answer.coverage?.unit]).toEqual([0n, 'nanoseconds']);
    expect((await client.top({ scope: scope({ type: 'alloc_space' }) })).coverage?.profileType).toBe(ALLOC);
    expect(await refusal(client.top({ scope: scope({ type: 'wall' }) }))).toMatch(
      /not_found.*process_cpu:cpu/u,
    );
    expect((await client.top({ scope: scope({ type: '' }) })).coverage?.profileType).toBe(CPU);
  });

  test('a damaged block is missing, with its times and the reason, and is quarantined', async () => {
    await startFleet();
    const directory = join(server.dataDir, 'objects');
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const [victim] = entries.filter((entry) => entry.isFile() && entry.parentPath.includes('blocks'));
    if (victim === undefined) throw new Error('there is no object');
    const path = join(victim.parentPath, victim.name);
    const bytes = await readFile(path);
    bytes.fill(0xa5, bytes.length - 40);
    await writeFile(path, bytes);
    const ask = async (): Promise<Coverage> =>
      present((await server.client.flameGraph({ scope: scope() })).coverage);
    const first = await ask();
    expect([first.blocksExpected, first.blocksAnswered, first.missing.length]).toEqual([4, 3, 1]);
    expect(first.missing[0]).toMatchObject({
      fromMs: expect.any(BigInt),
      reason: expect.stringMatching(/corrupt|footer|magic/iu),
    });
    expect(first.missing[0]!.fromMs).toBeGreaterThanOrEqual(BigInt(T));
    const second = await ask();
    expect(second.missing).toEqual(first.missing);
    expect([second.blocksExpected, second.blocksAnswered]).toEqual([4, 3]);
    const snapshot = await server.store.snapshot({ fromMs: T, toMs: T + 60_000 });
    snapshot.release();
    expect(snapshot.quarantined.map(({ id }) => id)).toEqual([first.missing[0]!.blockId]);
  });

  test('lost samples are added up by cause', async () => {
    await start();
    await server.commit(
      lossyBlock('ring_full', 3, 0),
      lossyBlock('ring_full', 4, 1),
      lossyBlock('table_full', 5, 2),
    );
    const { coverage } = await server.client.top({ scope: scope() });
    expect(present(coverage).lost.map(({ cause, samples }) => [cause, samples])).toEqual([
      ['ring_full', 7n],
      ['table_full', 5n],
    ]);
  });
});

describe('symbols', () => {
  test('that come late repair what was stored, in every cache', async () => {
    const { client } = await start();
    await server.commit(native());
    const ask = async (): Promise<readonly [string[], unknown]> => {
      const { table, coverage } = await client.flameGraph({ scope: scope() });
      const { unnamedSelf, unnamed } = present(coverage);
      return [
        rows(table),
        [unnamedSelf, ...unnamed.map(({ binary, reason, self }) => [binary, reason, self])],
      ];
    };
    const before = [
      [
        'all 7 0',
        'all;app+0x14 7 0',
        'all;app+0x14;app+0x20 1 1',
        'all;app+0x14;app+0x31 2 2',
        'all;app+0x14;app+0x90 4 4',
      ],
      [7n, ['app', 'not_uploaded', 7n]],
    ];
    expect(await ask()).toEqual(before);
    expect(await ask()).toEqual(before);
    await server.addSymbols(BUILD_ID, { main: 0x10, work: 0x20, rest: 0x30 });
    const after = [
      ['all 7 0', 'all;main 7 0', 'all;main;app+0x90 4 4', 'all;main;rest 2 2', 'all;main;work 1 1'],
      [4n, ['app', 'not_covered', 4n]],
    ];
    expect(await ask()).toEqual(after);
    expect(await ask()).toEqual(after);
    await server.addSymbols(BUILD_ID, { main: 0x10, work: 0x20, rest: 0x30, tail: 0x90 });
    expect((await ask())[1]).toEqual([0n]);
  });

  test('are written into exported files', async () => {
    const { client } = await start();
    await server.commit(native());
    await server.addSymbols(BUILD_ID, { main: 0x10, work: 0x20, rest: 0x30 });
    const folded = await client.export({ scope: scope(), format: ExportFormat.FOLDED });
    expect(new TextDecoder().decode(folded.file)).toBe('main;app+0x90 4\nmain;rest 2\nmain;work 1\n');
    const pprof = await client.export({ scope: scope(), format: ExportFormat.PPROF });
    const { block } = decodePprof(pprof.file, { labels: {} });
    expect([...block.strings]).toEqual(expect.arrayContaining(['main', 'work', 'rest', '/usr/bin/app']));
  });

  test('show inlined calls between the function and its code, with lines in exports', async () => {
    const { client } = await start();
    await server.commit(native());
    // work, at 0x20: line 7 of "inner", which line 30 of work calls.
    await server.addSymbols(
      BUILD_ID,
      { main: 0x10, work: 0x20, rest: 0x30 },
      {
        // Names are main, work and rest; "rest" is also what is inlined, and the name of the file.
        files: Uint32Array.of(0, 1, 1),
        lines: Uint32Array.of(0, 25, 3),
        fileOffsets: Uint32Array.of(8, 12),
        source: {
          callFunctions: Uint32Array.of(2),
          callParents: Uint32Array.of(0),
          callFiles: Uint32Array.of(1),
          callLines: Uint32Array.of(30),
          blockStarts: Uint32Array.of(0x20),
          blockOffsets: Uint32Array.of(0, 4),
          rows: Uint8Array.of(3, 2, 2, 14),
        },
      },
    );
    const folded = await client.export({ scope: scope(), format: ExportFormat.FOLDED });
    expect(new TextDecoder().decode(folded.file)).toBe(
      'main;app+0x90 4\nmain;rest;rest 2\nmain;work;rest 1\n',
    );
    const pprof = await client.export({ scope: scope(), format: ExportFormat.PPROF });
    const { block } = decodePprof(pprof.file, { labels: {} });
    const { locations, functions, strings } = block;
    const location = locations.address.indexOf(0x20n);
    const from = locations.lineStart[location] ?? 0;
    const lines = [from, from + 1].map((line) => {
      const fn = locations.lineFunction[line] ?? 0;
      return [strings.at(functions.name[fn] ?? 0), functions.startLine[fn], locations.lineNumber[line]];
    });
    expect(locations.lineStart[location + 1]).toBe(from + 2);
    expect(lines).toEqual([
      ['rest', 3, 7],
      ['work', 25, 30],
    ]);
  });
});

describe('a bad question', () => {
  test.each([
    ['a missing scope', {}, /scope is missing/u],
    ['a range that ends before it begins', { scope: scope({ from: 5, to: 5 }) }, /from_ms .* is not before/u],
    [
      'a range of seconds instead of milliseconds',
      { scope: { fromMs: 1n, toMs: BigInt(T) } },
      /limit_exceeded.*days/u,
    ],
    ['a negative time', { scope: { fromMs: -1n, toMs: 5n } }, /invalid_input.*from_ms is -1/u],
    ['a selector that ends early', { scope: scope({ selector: '{a="b"' }) }, /invalid_input/u],
    ['too many nodes', { scope: scope(), maxNodes: 2_000_000 }, /limit_exceeded: max_nodes/u],
    [
      'too many labels',
      { scope: scope(), groupBy: 'a b c d e f g h i'.split(' ') },
      /limit_exceeded: group_by/u,
    ],
    ['an empty label', { scope: scope(), groupBy: [''] }, /group_by\[0\] is an empty/u],
    ['a repeated label', { scope: scope(), groupBy: ['a', 'a'] }, /group_by\[1\] repeats/u],
    [
      'an endless focus',
      { scope: scope(), focus: Array.from({ length: 2000 }, () => 'f') },
      /limit_exceeded: focus/u,
    ],
  ])('with %s says what is wrong', async (_name, request, message) => {
    const { client } = await start();
    expect(await refusal(client.flameGraph(request))).toMatch(message);
  });

  test('of a series names the step', async () => {
    const { client } = await start();
    expect(await refusal(client.series({ scope: scope(), stepMs: 10n }))).toMatch(/step_ms is 10/u);
    // An end that is left out is now: the limit is of the range that is meant.
    const days = BigInt(Date.now() - 20 * 86_400_000);
    expect(await refusal(client.series({ scope: { fromMs: days }, stepMs: 1000n }))).toMatch(
      /limit_exceeded.*steps of 1000 ms/u,
    );
    const long = { fromMs: 8_999_000_000_000n, toMs: 9_000_000_000_000n };
    expect(await refusal(client.series({ scope: long, stepMs: 1000n }))).toMatch(
      /limit_exceeded.*steps of 1000 ms/u,
    );
    expect(await server.registry.metrics()).toContain('fleetflame_query_refused_total{limit="steps"} 2');
  });

  test('beyond the number that may run and wait is refused as overloaded', async () => {
    const { client } = await startFleet({ running: 1, waiting: 1 });
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, async () => refusal(client.flameGraph({ scope: scope() }))),
    );
    expect(
      new Set(outcomes.map((outcome) => (outcome.includes('overloaded') ? 'overloaded' : outcome))),
    ).toEqual(new Set(['no error', 'overloaded']));
    // All slots are free again.
    expect(await refusal(client.flameGraph({ scope: scope() }))).toBe('no error');
  });
});

describe('JSON without a client library', () => {
  test('works for every RPC', async () => {
    await startFleet();
    const request = { scope: { fromMs: String(T), toMs: String(T + 60_000), profileType: 'cpu' } };
    const top = await server.json('Top', { ...request, limit: 1 });
    expect(top.status).toBe(200);
    expect(top.body).toMatchObject({
      total: '150',
      functions: [{ name: 'scan', self: '100', total: '100' }],
    });
    expect((await server.json('FlameGraph', request)).body).toMatchObject({
      total: '150',
      table: expect.any(String),
    });
    const series = await server.json('Series', { ...request, stepMs: '60000' });
    expect(series.body).toMatchObject({ groups: [{ total: '150' }] });
    expect((await server.json('LabelNames', request)).body).toMatchObject({
      names: ['host_name', 'service_name', 'zone'],
    });
    expect((await server.json('LabelValues', { ...request, name: 'zone' })).body).toMatchObject({
      values: [{ value: 'eu', total: '7' }],
    });
    const types = await server.json('ProfileTypes', { fromMs: String(T), toMs: String(T + 1) });
    expect(types.body).toMatchObject({ types: [{ sampleType: 'alloc_space' }, { sampleType: 'cpu' }] });
    const folded = await server.json('Export', { ...request, format: 'EXPORT_FORMAT_FOLDED' });
    expect(folded.body).toMatchObject({ total: '150' });
    expect((await server.json('Top', { nope: 1 })).status).toBe(400);
  });
});

test('every answer says its range and the divisor of its averages, and groups how long they have data', async () => {
  await startFleet();
  const asked = scope({ from: -60_000, to: 240_000 });
  const range = { fromMs: BigInt(T - 60_000), toMs: BigInt(T + 240_000), averageOverMs: 300_000n };
  const top = await server.client.top({ scope: asked });
  const flame = await server.client.flameGraph({ scope: asked });
  const series = await server.client.series({ scope: asked, stepMs: 60_000n });
  for (const { coverage } of [top, flame, series]) expect(coverage).toMatchObject(range);
  const [group] = series.groups;
  const steps = group?.values.filter((value) => value !== 0n).length ?? 0;
  expect(steps).toBeGreaterThan(0);
  expect(group?.dataMs).toBeGreaterThan(0n);
  expect(Number(group?.dataMs)).toBeLessThanOrEqual(steps * 60_000);
});

/** 400 days and so many ms that end with the fleet's. */
function back(ms: number) {
  return scope({ from: 60_000 - 400 * 86_400_000 - ms, to: 60_000 });
}

test('a range of the longest kind that counts back has room for the cell it begins with', async () => {
  await startFleet();
  expect((await server.client.top({ scope: back(3_599_999) })).total).toBeGreaterThan(0n);
  expect(await refusal(server.client.top({ scope: back(3_600_001) }))).toMatch(/at most 400/);
});
