/** Profilers name the same thing in several ways: what is the same question has one answer, within what was selected. */
import { decodeProfile, mergeBlocks, parseSelector, selectSeries, sumStacks } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { ExportFormat } from '@fleetflame/proto/query/v1/query';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { QueryServer } from './testing/query-server.ts';

const T = Date.UTC(2026, 9, 1);
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const DOTNET = 'cpu:cpu:nanoseconds::nanoseconds';
const HEAP = 'memory:inuse_space:bytes:space:bytes';
const OTHER_HEAP = 'memory:inuse_space:bytes:inuse_space:bytes';

let server: QueryServer;
const block = (profileType: string, service: string, text: string) =>
  blockFromText(text, { profileType, timeMs: T, labels: { service_name: service } });
beforeAll(async () => {
  server = await QueryServer.start();
  await server.commit(
    mergeBlocks([
      block(CPU, 'go', 'main;serve 12000'),
      block(DOTNET, 'dotnet', 'Main 5'),
      block('alloc_size:alloc_size:bytes::', 'dotnet', 'Main 1000000000000'),
      block(HEAP, 'heap', 'main;fill 50'),
      block(OTHER_HEAP, 'heap', 'parse 7'),
      block('mutex:delay:nanoseconds:contentions:count', 'locks', 'lock 2'),
      block('block:delay:nanoseconds:contentions:count', 'locks', 'wait 900'),
    ]),
  );
});
afterAll(() => server.close());

const scope = (profileType: string, selector = '') => ({
  fromMs: BigInt(T - 1000),
  toMs: BigInt(T + 60_000),
  profileType,
  selector,
});
async function top(profileType: string, selector = '') {
  const { total, coverage } = await server.client.top({ scope: scope(profileType, selector), limit: 1 });
  const { groups } = await server.client.series({ scope: scope(profileType, selector), stepMs: 60_000n });
  const exported = await server.client.export({
    scope: scope(profileType, selector),
    format: ExportFormat.PPROF,
  });
  expect([groups.reduce((sum, group) => sum + group.total, 0n), exported.total]).toEqual([total, total]);
  return {
    total: Number(total),
    type: coverage?.profileType,
    summed: coverage?.summedTypes,
    others: coverage?.otherTypes,
  };
}

test('CPU of all is the sum of all CPU, whatever the period says, and of a service its own', async () => {
  expect(await top('cpu')).toEqual({ total: 12_005, type: CPU, summed: [DOTNET], others: [] });
  expect(await top('cpu', '{service_name="dotnet"}')).toEqual({
    total: 5,
    type: DOTNET,
    summed: [],
    others: [],
  });
  expect(await top('', '{service_name="go"}')).toMatchObject({ total: 12_000, type: CPU });
});

test('heaps that differ in the period are one question; without CPU the heap in use is what is asked for', async () => {
  expect(await top('inuse_space')).toMatchObject({ total: 57, summed: [OTHER_HEAP] });
  expect(await top(OTHER_HEAP)).toMatchObject({ total: 57 });
  expect(await top('', '{service_name="heap"}')).toMatchObject({ total: 57, type: HEAP });
});

test('without CPU, what profiles of the selected services want is shown first, also after a merge', async () => {
  const alloc = 'memory:alloc_space:bytes:space:bytes';
  const heap = mergeBlocks([block(HEAP, 'a', 'main 5'), block(alloc, 'a', 'main 900')]);
  const marked = { ...heap, defaultTypes: new Set([JSON.stringify([alloc, 'a'])]) };
  await using other = await QueryServer.start();
  await other.commit(mergeBlocks([marked, block(HEAP, 'b', 'main 6'), block(alloc, 'b', 'main 900')]));
  const asked = async (selector: string) =>
    (await other.client.top({ scope: scope('', selector) })).coverage?.profileType;
  expect(await asked('{service_name="a"}')).toBe(alloc);
  expect(await asked('{service_name="b"}')).toBe(HEAP);
  const { types } = await other.client.profileTypes({ fromMs: BigInt(T - 1000), toMs: BigInt(T + 60_000) });
  expect(types.map(({ id, isDefault }) => [id, isDefault])).toEqual([
    [alloc, true],
    [HEAP, false],
  ]);
});

test('files of other tools hold the same sum', async () => {
  for (const format of [ExportFormat.SPEEDSCOPE, ExportFormat.CPUPROFILE]) {
    const asked = scope('cpu', '{service_name="go"}');
    const { file, total } = await server.client.export({ scope: asked, format, groupBy: ['service_name'] });
    const { block: read } = decodeProfile(file, { timeMs: T, labels: { service_name: 'go' } });
    const sums = sumStacks(read, { series: selectSeries(read, CPU, parseSelector('')) }, []);
    expect([sums.total, Number(total)]).toEqual([12_000, 12_000]);
  }
});

test('mutex and block stay apart: the larger answers, and the other is named', async () => {
  const mutex = 'mutex:delay:nanoseconds:contentions:count';
  expect(await top('delay')).toMatchObject({ total: 900, others: [mutex] });
  expect(await top('mutex')).toMatchObject({ total: 2, type: mutex, others: [] });
});

test('the same thing in other units is one question, summed exactly in the smaller one', async () => {
  const micro = 'process_cpu:cpu:microseconds:cpu:microseconds';
  const kilo = 'memory:inuse_space:KB:space:bytes';
  await using other = await QueryServer.start();
  const at = (profileType: string, text: string) =>
    blockFromText(text, { profileType, timeMs: T, labels: { service_name: 'mixed' } });
  await other.commit(
    mergeBlocks([at(CPU, 'main;a 1999\nmain;b 7'), at(micro, 'main;a 3')]),
    at(micro, 'b 5'),
  );
  await other.commit(at(HEAP, 'x 1'), at(kilo, 'x 2'));
  const asked = { ...scope('cpu'), selector: '{service_name="mixed"}' };
  for (const profileType of ['cpu', CPU, micro, '']) {
    const { total, functions, coverage } = await other.client.top({ scope: { ...asked, profileType } });
    expect(total).toBe(1999n + 7n + 3000n + 5000n);
    expect(functions.find(({ name }) => name === 'a')?.self).toBe(4999n);
    expect(coverage).toMatchObject({ profileType: CPU, unit: 'nanoseconds', summedTypes: [micro] });
  }
  const { groups } = await other.client.series({ scope: asked, stepMs: 60_000n });
  expect(groups.map(({ total }) => total)).toEqual([10_006n]);
  // A range that cuts the block sums its points, in the same unit.
  const cut = { ...asked, fromMs: BigInt(T), toMs: BigInt(T + 1) };
  expect((await other.client.top({ scope: cut })).total).toBe(10_006n);
  const { values } = await other.client.labelValues({ scope: asked, name: 'service_name' });
  expect(values).toMatchObject([{ value: 'mixed', total: 10_006n }]);
  const details = await other.client.functionDetails({ scope: asked, name: 'a' });
  expect(details.self).toBe(4999n);
  const exported = await other.client.export({ scope: asked, format: ExportFormat.FOLDED });
  expect(new TextDecoder().decode(exported.file).split('\n').toSorted()).toContain('main;a 4999');
  expect((await other.client.top({ scope: { ...asked, profileType: 'inuse_space' } })).total).toBe(2049n);
  const { types } = await other.client.profileTypes({ fromMs: BigInt(T - 1000), toMs: BigInt(T + 60_000) });
  expect(types.map(({ id, total }) => [id, total])).toEqual([
    [HEAP, 2049n],
    [CPU, 10_006n],
  ]);
});

test('types that are one question are one choice', async () => {
  const { types } = await server.client.profileTypes({ fromMs: BigInt(T - 1000), toMs: BigInt(T + 60_000) });
  expect(types.map(({ id, total }) => [id, Number(total)])).toEqual([
    ['alloc_size:alloc_size:bytes::', 1e12],
    ['block:delay:nanoseconds:contentions:count', 900],
    [HEAP, 57],
    ['mutex:delay:nanoseconds:contentions:count', 2],
    [CPU, 12_005],
  ]);
});
