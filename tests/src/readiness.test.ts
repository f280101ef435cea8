/** Ready means able: what each role of a cluster says while PostgreSQL or S3 is away, and after it came back, without a request. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeBlock } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { Cluster, type ClusterProcess } from './support/cluster.ts';
import { until } from './support/product.ts';

let cluster: Cluster;
let seq = 0n;
const startedMs = Date.now() - 3_600_000;

beforeAll(async () => {
  // An operation that fails has failed after a second or two, not after half a minute.
  cluster = await Cluster.start({ settings: { FLEETFLAME_LIMITS_OBJECTS_TOTAL_MS: '1500' } });
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

it('says no while the catalog is away, and yes by itself when it is back', async () => {
  expect(await readiness()).toEqual({ ingest: [200], query: [200], compactor: [200], symbolizer: [200] });
  await cluster.postgres.kill();
  await until('those who need the catalog are not ready', asked, ({ ingest, query, compactor }) =>
    [...ingest, ...query, ...compactor].every((status) => status === 503),
  );
  expect((await readiness())['symbolizer']).toEqual([200]);
  const [query] = cluster.role('query');
  expect((await query!.get('/readyz')).text).toBe('unable: the catalog cannot be read\n');
  expect(JSON.parse((await query!.get('/status')).text)).toMatchObject({
    ready: false,
    problems: ['the catalog cannot be read'],
    store: { health: { read: { able: false } } },
  });
  const { status, text } = await query!.get('/metrics');
  expect([status, /^fleetflame_ready (\d)$/m.exec(text)?.[1]]).toEqual([200, '0']);
  await cluster.postgres.restart();
  await until('all are ready', readiness, (now) =>
    Object.values(now)
      .flat()
      .every((code) => code === 200),
  );
  expect(await write(cluster.role('ingest')[0]!)).toBe(true);
});

it('says no while objects cannot be written, and yes by itself when they can', async () => {
  cluster.s3.choose = ({ method }) => (method === 'PUT' ? 'refused' : undefined);
  await until('ingest is not ready', asked, ({ ingest }) => ingest.every((status) => status === 503));
  const now = await readiness();
  expect([now['query'], now['compactor']]).toEqual([[200], [200]]);
  expect((await cluster.role('ingest')[0]!.get('/readyz')).text).toBe('unable: objects cannot be written\n');
  cluster.s3.choose = () => undefined;
  await until('all are ready', readiness, (all) =>
    Object.values(all)
      .flat()
      .every((code) => code === 200),
  );
  expect(await write(cluster.role('ingest')[0]!)).toBe(true);
});

/** Statuses of /readyz by role, the different ones of each. */
async function readiness(): Promise<Record<string, number[]>> {
  const statuses: Record<string, number[]> = {};
  for (const process of cluster.processes) {
    const { status } = await process.get('/readyz');
    statuses[process.role] = [...new Set([...(statuses[process.role] ?? []), status])];
  }
  return statuses;
}

/** As `readiness`, after one write to each ingest and one question to each query. */
async function asked(): Promise<Record<'ingest' | 'query' | 'compactor', number[]>> {
  const questions = cluster.role('query').map(async ({ query }) => {
    const range = { fromMs: BigInt(startedMs), toMs: BigInt(startedMs + 1000), selector: '' };
    await query.top({ scope: { ...range, profileType: 'cpu' }, limit: 1 });
  });
  await Promise.allSettled([...cluster.role('ingest').map(write), ...questions]);
  const { ingest = [], query = [], compactor = [] } = await readiness();
  return { ingest, query, compactor };
}

/** Whether it was acked. */
async function write({ ingest }: ClusterProcess): Promise<boolean> {
  const block = encodeBlock(
    blockFromText('main 1', { timeMs: startedMs, labels: { service_name: 'ready' } }),
  );
  return await ingest.write({ agentId: 'readiness', seq: seq++, block }).then(
    () => true,
    () => false,
  );
}
