/** Objects in S3: what a request costs, and what hedging does about slow ones; see README.md. */
import { createObjectStore, type ObjectStore, type S3ObjectStoreConfig } from '@fleetflame/store';
import { FaultyS3, Rgw } from '@fleetflame/store/testing';
import { describeMachine } from '../overhead/machine.ts';

const PUT_BYTES = 100_000;
const RANGE_BYTES = 65_536;
const LANES = 8;
/** Two of a hundred requests wait so long. */
const SLOW_SHARE = 0.02;
const SLOW_MS = 3000;

type Work = (store: ObjectStore, i: number) => Promise<unknown>;

interface Measured {
  readonly sortedMs: Float64Array;
  readonly cpuUs: number;
  readonly perSecond: number;
}

/** Runs `count` calls, LANES at once. */
async function measure(store: ObjectStore, count: number, work: Work): Promise<Measured> {
  const ms = new Float64Array(count);
  let next = 0;
  const started = performance.now();
  const cpu = process.cpuUsage();
  const lanes = Array.from({ length: LANES }, async () => {
    for (let i = next++; i < count; i = next++) {
      const before = performance.now();
      await work(store, i);
      ms[i] = performance.now() - before;
    }
  });
  await Promise.all(lanes);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - started) / 1000;
  return { sortedMs: ms.sort(), cpuUs: (user + system) / count, perSecond: count / seconds };
}

function quantile({ sortedMs }: Measured, share: number): string {
  return (sortedMs[Math.min(sortedMs.length - 1, Math.floor(sortedMs.length * share))] ?? 0).toFixed(1);
}

let serial = 0;
const put: Work = (store) => store.put(`put/${serial++}`, new Uint8Array(PUT_BYTES).fill(serial));
const range: Work = (store, i) => store.range('large', (i % 64) * RANGE_BYTES, RANGE_BYTES);

async function open(config: S3ObjectStoreConfig, record: (kind: string) => void): Promise<ObjectStore> {
  const store = await createObjectStore(config, (event) => record(event.kind));
  return store;
}

console.log(describeMachine());
await using rgw = await Rgw.start();
const config = await rgw.createBucket();
const plain = await open(config, () => undefined);
await plain.put('large', new Uint8Array(64 * RANGE_BYTES));
for (const work of [put, range]) await measure(plain, 200, work);

console.log(`\nStraight to the server, ${LANES} at once`);
for (const [name, work] of [
  ['put 100 kB', put],
  ['range 64 KiB', range],
] as const) {
  const measured = await measure(plain, 1000, work);
  console.log(
    `${name.padEnd(14)} ${measured.cpuUs.toFixed(0)} µs CPU a call, ${measured.perSecond.toFixed(0)} a second, p50 ${quantile(measured, 0.5)} ms`,
  );
}
plain.close();

console.log(`\n${SLOW_SHARE * 100} % of the requests wait ${SLOW_MS} ms`);
for (const hedged of [false, true]) {
  await using proxy = await FaultyS3.start(rgw.endpoint, 1);
  proxy.lateMs = SLOW_MS;
  let hedges = 0;
  const limits = hedged ? {} : { hedgeBytes: 1 };
  const store = await open({ ...config, endpoint: proxy.endpoint, limits }, (kind) => {
    if (kind === 'hedge') hedges++;
  });
  for (const [name, work] of [
    ['put 100 kB', put],
    ['range 64 KiB', range],
  ] as const) {
    await measure(store, 200, work);
    proxy.inject(SLOW_SHARE, ['late']);
    hedges = 0;
    const measured = await measure(store, 1000, work);
    proxy.inject(0, []);
    const quantiles = [0.5, 0.95, 0.99, 0.999].map((share) => quantile(measured, share)).join(' / ');
    console.log(
      `${name.padEnd(14)} ${hedged ? 'hedged' : 'plain '}  p50 / p95 / p99 / p99.9: ${quantiles} ms, ${hedges} second requests won or lost`,
    );
  }
  store.close();
}
