import { BlockBuilder, type Block } from '@fleetflame/profile';
import { Counter, Gauge } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import { QueryServer } from '../testing/query-server.ts';
import { commitFleet, CPU, present, refusal, rows, scope, T } from '../testing/questions.ts';

/** A thread begins in its own time. */
const PATIENTLY = { timeout: 30_000 };

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

/** Functions whose names become 160 MB of text, one small piece after the other. */
function manyNames(): Block {
  const builder = new BlockBuilder();
  const series = builder.series(CPU, 1, { service_name: 'names' });
  for (let i = 0; i < 80_000; i++) {
    const name = builder.string(`${i} `.padEnd(2000, 'x'));
    const location = builder.location(0, 0, 0, [builder.function(name, 0, 0, 0), 0]);
    builder.add(series, builder.stack(0, location), T, 1);
  }
  return builder.build();
}

test('a question that needs too much memory ends its thread, is refused in words, and the next one is answered', async () => {
  server = await QueryServer.start({ workers: 1, workerHeapMib: 64 });
  await commitFleet(server);
  await server.commit(manyNames());
  const fleet = { scope: scope({ selector: '{service_name=~"api|db"}' }) };
  const before = await server.client.flameGraph(fleet);
  expect(before.total).toBe(150n);
  const why = await refusal(server.client.top({ scope: scope({ selector: '{service_name="names"}' }) }));
  expect(why).toMatch(/unavailable: The query was not answered; ask again.*workerHeapMib/u);
  expect(await valueOf('fleetflame_query_worker_deaths_total')).toBe(1);
  const after = await server.client.flameGraph(fleet);
  expect(rows(after.table)).toEqual(rows(before.table));
  // Its caches were in the thread that ended; snapshot and budgets of its questions were given back.
  expect(present(after.coverage).bytesRead).toBe(present(before.coverage).bytesRead);
  expect(await valueOf('fleetflame_query_decoded_bytes')).toBe(0);
  expect((await server.store.status()).pinnedBlocks).toBe(0);
});

/** Snapshots are given from when the result is called on; how many were asked for until then. */
function holdSnapshots(): { readonly asked: () => number; readonly goOn: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  server.beforeSnapshot = async () => {
    asked++;
    await promise;
  };
  return { asked: () => asked, goOn: resolve };
}

async function expectNothingHeld(): Promise<void> {
  await expect.poll(() => valueOf('fleetflame_query_running'), PATIENTLY).toBe(0);
  expect((await server.store.status()).pinnedBlocks).toBe(0);
  expect(await valueOf('fleetflame_query_decoded_bytes')).toBe(0);
}

test('a question that nobody waits for ends in its thread and gives back what it took', async () => {
  server = await QueryServer.start({ workers: 1 });
  await commitFleet(server);
  const { asked, goOn } = holdSnapshots();
  const caller = new AbortController();
  const left = refusal(server.client.top({ scope: scope() }, { signal: caller.signal }));
  await expect.poll(asked, PATIENTLY).toBe(1);
  caller.abort();
  expect(await left).toMatch(/canceled/u);
  goOn();
  await expectNothingHeld();
  // It read nothing after that.
  expect(await valueOf('fleetflame_query_blocks_total')).toBe(0);
  expect((await server.client.flameGraph({ scope: scope() })).total).toBe(150n);
});

test('a question that runs for too long is given up in words, in its thread too', async () => {
  server = await QueryServer.start({ workers: 1, runMs: 400 });
  await commitFleet(server);
  const { goOn } = holdSnapshots();
  const late = refusal(server.client.flameGraph({ scope: scope() }));
  await expect.poll(() => valueOf('fleetflame_query_refused_total'), PATIENTLY).toBeGreaterThan(0);
  goOn();
  expect(await late).toMatch(/limit_exceeded: The query was given up after 0.4 s/u);
  await expectNothingHeld();
  expect(await valueOf('fleetflame_query_blocks_total')).toBe(0);
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
    }, PATIENTLY)
    .toEqual(['0', '1']);
  // A thread gives way as soon as it is told to.
  for (const cache of ['block', 'partial']) {
    await expect.poll(() => heldIn(cache), PATIENTLY).toBeLessThanOrEqual(20_000);
    expect(await heldIn(cache)).toBeGreaterThan(0);
  }
});
