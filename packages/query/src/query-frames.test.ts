import {
  BlockBuilder,
  decodeFlameTable,
  FRAME_KINDS,
  SEVERAL_BUILDS,
  STOPPED_MAPPING_FILE,
  stoppedFrameName,
  type Block,
} from '@fleetflame/profile';
import { ExportFormat } from '@fleetflame/proto/query/v1/query';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { QueryServer } from './testing/query-server.ts';
import { CPU, refusal, scope, T } from './testing/questions.ts';

const OLD = 'aa'.repeat(20);
const NEW = 'bb'.repeat(20);

/** main calls work, and has it inlined, too; libz has no names; a stack ends early. Seconds T and T + 1000. */
function appBlock(buildId: string, workLine: number): Block {
  const builder = new BlockBuilder();
  const text = (string: string): number => builder.string(string);
  const series = builder.series(CPU, 1, { service_name: 'app' });
  const app = builder.mapping(text('/usr/bin/app'), text(buildId), 'native');
  const libz = builder.mapping(text('/usr/lib/libz.so'), text('cc'.repeat(20)), 'native');
  const marker = builder.mapping(text(STOPPED_MAPPING_FILE), 0, 'unknown');
  const fn = (name: string, line: number): number =>
    builder.function(text(name), text(name), text('app.c'), line);
  const main = builder.stack(0, builder.location(app, 0x10, 0, [fn('main', 3), 4]));
  const at = (address: number, lines: number[]): number =>
    builder.stack(main, builder.location(app, address, 0, lines));
  builder.add(series, at(0x20, [fn('work', workLine), workLine + 1]), T, 100);
  builder.add(series, at(0x20, [fn('work', workLine), workLine + 1]), T + 1000, 20);
  const inlined = builder.location(app, 0x30, 0, [fn('work', workLine), workLine + 2, fn('main', 3), 6]);
  builder.add(series, builder.stack(0, inlined), T, 3);
  const name = text(stoppedFrameName('no_table'));
  const stopped = builder.stack(0, builder.location(marker, 0, 0, [builder.function(name, name, 0, 0), 0]));
  builder.add(series, builder.stack(stopped, builder.location(libz, 0x40, 0, [])), T, 7);
  return builder.build();
}

let server: QueryServer;
beforeEach(async () => {
  server = await QueryServer.start();
  await server.commit(appBlock(OLD, 10), appBlock(NEW, 20));
});
afterEach(async () => server.close());

const folded = async (annotate: boolean): Promise<string[]> => {
  const { file } = await server.client.export({ scope: scope(), format: ExportFormat.FOLDED, annotate });
  return new TextDecoder().decode(file).trim().split('\n');
};

describe('frames', () => {
  test('carry kind, build and line in flame graph and top table', async () => {
    const { client } = server;
    const flame = await client.flameGraph({ scope: scope() });
    const { frames } = decodeFlameTable(flame.table);
    const described = Array.from({ length: frames.length }, (_, f) =>
      [
        frames.strings[frames.name[f]!],
        FRAME_KINDS[frames.kind[f]!],
        frames.strings[frames.buildId[f]!],
        frames.startLine[f],
      ].join(' '),
    );
    expect(described).toEqual([
      'all root  0',
      '[unwind stopped: no table] stopped  0',
      `libz.so+0x40 native ${'cc'.repeat(20)} 0`,
      `main native ${SEVERAL_BUILDS} 3`,
      `work native ${SEVERAL_BUILDS} 0`,
      `work inlined ${SEVERAL_BUILDS} 0`,
    ]);
    const top = await client.top({ scope: scope() });
    expect(top.functions[0]).toMatchObject({
      name: 'work',
      kind: 'native',
      partlyInlined: true,
      buildId: SEVERAL_BUILDS,
      startLine: 0,
      self: 246n,
    });
  });

  test('of stopped stacks are accounted in the coverage, also when the answer comes from the cache', async () => {
    for (let i = 0; i < 2; i++) {
      const { coverage } = await server.client.top({ scope: scope() });
      expect(coverage?.stopped).toMatchObject([{ reason: 'no_table', binary: 'libz.so', value: 14n }]);
    }
  });

  test('are annotated in folded stacks when asked for', async () => {
    expect(await folded(false)).toContain('main;work 246');
    expect(await folded(true)).toEqual([
      '[unwind stopped: no table];libz.so+0x40 14',
      'main;work 240',
      'main;work_[i] 6',
    ]);
  });
});

describe('details of a function', () => {
  const work = { name: 'work', filename: 'app.c', binary: 'app' };

  test('are its lines and builds, exact where the range cuts blocks', async () => {
    const whole = await server.client.functionDetails({ scope: scope(), ...work });
    expect([whole.self, whole.total, whole.inlinedSelf]).toEqual([246n, 246n, 6n]);
    expect(whole.lines).toMatchObject([
      { line: 11, self: 120n, total: 120n },
      { line: 21, self: 120n, total: 120n },
      { line: 12, self: 3n, total: 3n },
      { line: 22, self: 3n, total: 3n },
    ]);
    expect(whole.builds).toMatchObject([
      { file: '/usr/bin/app', buildId: OLD, self: 123n, total: 123n },
      { file: '/usr/bin/app', buildId: NEW, self: 123n, total: 123n },
    ]);
    const cut = await server.client.functionDetails({
      scope: { ...scope(), fromMs: BigInt(T + 500) },
      ...work,
    });
    expect(cut.lines).toMatchObject([
      { line: 11, self: 20n },
      { line: 21, self: 20n },
    ]);
  });

  test('say what the limit left out, and refuse one that is too large', async () => {
    const some = await server.client.functionDetails({ scope: scope(), ...work, limit: 1 });
    expect([some.lines.length, some.omittedLines, some.omittedLinesSelf]).toEqual([1, 3n, 126n]);
    expect([some.builds.length, some.omittedBuilds]).toEqual([1, 1n]);
    const refused = await refusal(
      server.client.functionDetails({ scope: scope(), ...work, limit: 1_000_000 }),
    );
    expect(refused).toContain('at most 100000');
  });

  test('come from symbols that arrive later', async () => {
    const libz = { name: 'deflate', filename: '', binary: 'libz.so' };
    expect((await server.client.functionDetails({ scope: scope(), ...libz })).self).toBe(0n);
    await server.addSymbols('cc'.repeat(20), { deflate: 0x40 });
    expect((await server.client.functionDetails({ scope: scope(), ...libz })).self).toBe(14n);
  });
});

test('binaries say their builds, their CPU, and what of it has no name or no callers', async () => {
  const answer = await server.client.binaries({ scope: scope() });
  expect(answer.total).toBe(260n);
  expect(answer.binaries).toMatchObject([
    { binary: 'libz.so', buildIds: ['cc'.repeat(20)], self: 14n, unnamedSelf: 14n, stopped: 14n },
    { binary: 'app', buildIds: [OLD, NEW], self: 246n, unnamedSelf: 0n, stopped: 0n },
  ]);
  const one = await server.client.binaries({ scope: scope(), limit: 1 });
  expect([one.binaries.length, one.omittedBinaries]).toEqual([1, 1n]);
});
