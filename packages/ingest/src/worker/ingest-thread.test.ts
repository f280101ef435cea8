import { decodeBlock, encodeBlock, encodePprof, FleetflameError } from '@fleetflame/profile';
import { blockFromText, describeBlock, TEST_PROFILE_TYPE } from '@fleetflame/profile/testing';
import { expect, test } from 'vitest';
import { INGEST_LIMITS, type IngestLimits } from '../limits.ts';
import { startIngestServer } from '../testing/ingest-server.ts';
import { storeSums } from '../testing/store-sums.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { IngestThread, TooHeavy, WorkerRefusal } from './ingest-thread.ts';
import type { BatchInput } from './messages.ts';

const STACKS = Array.from({ length: 30 }, (_, i) => `main;f${i} ${i + 1}`).join('\n');

function thread(limits: Partial<IngestLimits> = {}): IngestThread {
  const settings = { limits: { ...INGEST_LIMITS, ...limits }, retentionMs: 86_400_000, heavy: false };
  return new IngestThread(settings, (error) => {
    throw error;
  });
}

function agentBatch(text: string): BatchInput {
  const nowMs = Date.now();
  const bytes = encodeBlock(blockFromText(text, { timeMs: nowMs - 5000 }));
  return { kind: 'agent', bytes: bytes.slice(), nowMs, cpus: 0 };
}

function pushedFile(bytes: Uint8Array): BatchInput {
  const labels = { service_name: 'x' };
  const said = { format: 'pprof', type: '', unit: '', seriesKind: undefined, hashed: {} };
  return { kind: 'pprof', bytes, nowMs: Date.now(), labels, timeMs: Date.now(), ...said };
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
}

test('a segment can be sealed again without some batches, until they are forgotten', async () => {
  const worker = thread();
  for (const [i, text] of ['main;a 1', 'main;b 2', 'main;a 4'].entries())
    await worker.take(i, agentBatch(text));
  const totalOf = async (batches: number[]): Promise<number> =>
    decodeBlock((await worker.seal(batches)).bytes).samples.total.reduce((a, b) => a + b, 0);
  expect(await totalOf([0, 1, 2])).toBe(7);
  expect(await totalOf([0, 2])).toBe(5);
  worker.forget([0]);
  expect(await failure(worker.seal([0, 2]))).toMatchObject({ code: 'unavailable' });
  expect(await totalOf([2])).toBe(4);
  await worker.stop();
});

test('a refused batch says why, and leaves nothing in the segments of others', async () => {
  const worker = thread({ labelValueLength: 8 });
  const refused = await failure(worker.take(0, { ...agentBatch('secret 1'), bytes: new Uint8Array(100) }));
  expect(refused).toBeInstanceOf(WorkerRefusal);
  expect(refused).toMatchObject({ code: 'invalid_input', reason: 'format' });
  const long = { labels: { service_name: 'much too long' } };
  const nowMs = Date.now();
  const bytes = encodeBlock(blockFromText('secret 1', { ...long, timeMs: nowMs })).slice();
  expect(await failure(worker.take(1, { kind: 'agent', bytes, nowMs, cpus: 0 }))).toMatchObject({
    code: 'limit_exceeded',
    reason: 'labelValueLength',
  });
  await worker.take(2, agentBatch('main 3'));
  const block = decodeBlock((await worker.seal([2])).bytes);
  expect([...block.strings]).not.toContain('secret');
  expect(describeBlock(block)).toHaveLength(2);
  await worker.stop();
});

test('a thread that ended lost what it held, and the next call has a new one', async () => {
  const worker = thread();
  await worker.take(0, agentBatch('main 1'));
  const underway = failure(worker.take(1, agentBatch('main 2')));
  await worker.stop();
  expect(await underway).toBeInstanceOf(FleetflameError);
  expect(await underway).toMatchObject({ code: 'unavailable' });
  expect(await failure(worker.seal([0]))).toMatchObject({ code: 'unavailable' });
  await worker.take(2, agentBatch('main 4'));
  expect((await worker.seal([2])).rows).toBe(1);
  await worker.stop();
});

test('an ordinary worker gives a heavy file back, and the server takes it all the same', async () => {
  const file = new Uint8Array(encodePprof(blockFromText(STACKS), { profileType: TEST_PROFILE_TYPE }));
  const worker = thread({ heavyStacks: 20 });
  const tooHeavy = await failure(worker.take(0, pushedFile(file.slice())));
  if (!(tooHeavy instanceof TooHeavy)) throw tooHeavy;
  expect([...tooHeavy.bytes]).toEqual([...file]);
  await worker.stop();

  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, {
    limits: { segmentMs: 30, heavyStacks: 20 },
  });
  const push = { profile: file, labels: { service_name: 'x' }, timeMs: BigInt(Date.now()) };
  expect((await server.client.writePprof(push)).rows).toBe(30n);
  const sums = await storeSums(server.store);
  expect([...sums.values()].reduce((a, b) => a + b, 0)).toBe((30 * 31) / 2);
});
