import { BlockBuilder } from '@fleetflame/profile';
import { ExportFormat } from '@fleetflame/proto/query/v1/query';
import { Counter, Gauge } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import { QueryServer } from '../testing/query-server.ts';
import { commitFleet, CPU, present, refusal, rows, scope, T } from '../testing/questions.ts';

let server: QueryServer;
afterEach(async () => server.close());

interface Value {
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly value: number;
}

async function valuesOf(name: string): Promise<readonly Value[]> {
  const metric = server.registry.getSingleMetric(name);
  if (!(metric instanceof Counter || metric instanceof Gauge)) throw new Error(`there is no ${name}`);
  return (await metric.get()).values;
}

async function valueOf(name: string): Promise<number> {
  return (await valuesOf(name)).reduce((sum, { value }) => sum + value, 0);
}

async function heldIn(cache: string): Promise<number> {
  const values = await valuesOf('fleetflame_query_cache_bytes');
  return values.find(({ labels }) => labels['cache'] === cache)?.value ?? 0;
}

/** Some hundred kilobytes, of which folded text has every stack whole: 200 MB. */
function deep(): BlockBuilder {
  const builder = new BlockBuilder();
  const frame = (name: string): number =>
    builder.location(0, 0, 0, [builder.function(builder.string(name), 0, 0, 0), 0]);
  let stack = 0;
  for (let depth = 0; depth < 500; depth++) stack = builder.stack(stack, frame(`${depth} `.padEnd(100, 'x')));
  const series = builder.series(CPU, 1, { service_name: 'deep' });
  for (let leaf = 0; leaf < 4000; leaf++)
    builder.add(series, builder.stack(stack, frame(`leaf ${leaf}`)), T, 1);
  return builder;
}

test('a question that needs too much memory ends its thread, is refused in words, and the next one is answered', async () => {
  server = await QueryServer.start({ workers: 1, workerHeapMib: 80 });
  await server.commit(deep().build());
  const before = await server.client.flameGraph({ scope: scope() });
  expect(before.total).toBe(4000n);
  const why = await refusal(server.client.export({ scope: scope(), format: ExportFormat.FOLDED }));
  expect(why).toMatch(/unavailable: The query was not answered; ask again.*workerHeapMib/u);
  expect(await valueOf('fleetflame_query_worker_deaths_total')).toBe(1);
  const after = await server.client.flameGraph({ scope: scope() });
  expect(rows(after.table)).toEqual(rows(before.table));
  // Its caches were in the thread that ended; snapshot and budgets of its questions were given back.
  expect(present(after.coverage).bytesRead).toBe(present(before.coverage).bytesRead);
  expect(await valueOf('fleetflame_query_decoded_bytes')).toBe(0);
  expect((await server.store.status()).pinnedBlocks).toBe(0);
});

test('a question that runs for too long, or that nobody waits for, ends in its thread and gives back what it took', async () => {
  server = await QueryServer.start({ workers: 1, runMs: 400 });
  await commitFleet(server);
  // Both wait for their snapshot, which comes when they are over.
  const { promise: open, resolve: goOn } = Promise.withResolvers<void>();
  let asked = 0;
  server.beforeSnapshot = async () => {
    asked++;
    await open;
  };
  const late = refusal(server.client.flameGraph({ scope: scope() }));
  const caller = new AbortController();
  const left = refusal(server.client.top({ scope: scope() }, { signal: caller.signal }));
  await expect.poll(() => asked).toBe(2);
  caller.abort();
  expect(await left).toMatch(/canceled/u);
  await expect.poll(() => valueOf('fleetflame_query_refused_total')).toBeGreaterThan(0);
  goOn();
  expect(await late).toMatch(/limit_exceeded: The query was given up after 0.4 s/u);
  await expect.poll(() => valueOf('fleetflame_query_running')).toBe(0);
  expect((await server.store.status()).pinnedBlocks).toBe(0);
  server.beforeSnapshot = undefined;
  expect((await server.client.flameGraph({ scope: scope() })).total).toBe(150n);
});

test('questions at once are spread over threads, whose answers are alike and whose caches are one budget', async () => {
  server = await QueryServer.start({ workers: 2, blockCacheBytes: 20_000, partialCacheBytes: 20_000 });
  await commitFleet(server);
  const ask = async (label: string): Promise<string[]> =>
    rows((await server.client.flameGraph({ scope: scope(), groupBy: [label] })).table);
  const labels = ['service_name', 'host_name', 'zone', 'none', 'other', 'further'];
  const alone: string[][] = [];
  for (const label of labels) alone.push(await ask(label));
  expect(await valueOf('fleetflame_query_workers')).toBe(1);
  await expect
    .poll(async () => {
      expect(await Promise.all(labels.map(ask))).toEqual(alone);
      return (await valuesOf('fleetflame_query_worker_questions_total')).map(
        ({ labels }) => labels['worker'],
      );
    })
    .toEqual(['0', '1']);
  // A thread gives way as soon as it is told to.
  for (const cache of ['block', 'partial']) {
    await expect.poll(() => heldIn(cache)).toBeLessThanOrEqual(20_000);
    expect(await heldIn(cache)).toBeGreaterThan(0);
  }
});
