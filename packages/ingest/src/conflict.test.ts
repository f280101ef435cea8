/** I2: numbers are claims. What comes under numbers that are taken by something else is refused, counted and not lost without a word. */
import { Code, ConnectError } from '@connectrpc/connect';
import { encodeBlock, encodePprof, ERROR_CODE_HEADER } from '@fleetflame/profile';
import { blockFromText, TEST_PROFILE_TYPE } from '@fleetflame/profile/testing';
import { expect, test } from 'vitest';
import { metric, startIngestServer } from './testing/ingest-server.ts';
import { storeSums } from './testing/store-sums.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const QUICK = { segmentMs: 30 };
const block = (text: string, timeMs = Date.now() - 5000) => blockFromText(text, { timeMs });
const file = (text: string): Uint8Array => encodePprof(block(text), { profileType: TEST_PROFILE_TYPE });

async function refusal(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  return error;
}

test('another content under a number that is known, underway or stored is refused; the same is a repeat', async () => {
  using directory = temporaryDirectory();
  const stranger = { agentId: 'agent', seq: 3n, block: encodeBlock(block('stranger 7')) };
  const own = { ...stranger, block: encodeBlock(block('own 5')) };
  const fresh = { ...own, agentId: 'fresh' };
  {
    await using server = await startIngestServer(directory.path, { limits: { segmentMs: 300 } });
    const first = server.client.write(stranger);
    await expect.poll(() => metric(server.registry, 'fleetflame_ingest_pending_batches')).toBe(1);
    expect((await refusal(server.client.write(own))).code, 'underway').toBe(Code.AlreadyExists);
    expect(await first).toMatchObject({ duplicate: false });
    const error = await refusal(server.client.write(own));
    expect(error.metadata.get(ERROR_CODE_HEADER), 'known here').toBe('conflict');
    expect(error.rawMessage).toMatch(/new agent_id/);
    expect(await server.client.write(stranger)).toMatchObject({ duplicate: true });
    expect(await metric(server.registry, 'fleetflame_ingest_refused_total', '{reason="conflict"}')).toBe(2);
  }
  // Another process has only the catalog; the rest of the segment is stored.
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const [conflict, repeat, other] = await Promise.all([
    refusal(server.client.write(own)),
    server.client.write(fresh),
    server.client.write({ ...fresh, seq: 4n, block: encodeBlock(block('own 20')) }),
  ]);
  expect(conflict.code, 'in the catalog').toBe(Code.AlreadyExists);
  expect([repeat.duplicate, other.duplicate]).toEqual([false, false]);
  expect(await server.client.write(stranger)).toMatchObject({ duplicate: true });
  expect(await server.client.write(fresh)).toMatchObject({ duplicate: true });
  expect(await metric(server.registry, 'fleetflame_ingest_refused_total', '{reason="conflict"}')).toBe(1);
  expect(await storeSums(server.store)).toEqual(
    new Map([
      ['test stranger', 7],
      ['test own', 25],
    ]),
  );
});

test('a push under a known push_id with another profile or other labels is refused, with another time it is a repeat', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const labels = { service_name: 'pushed', region: 'a' };
  const timeMs = BigInt(Date.now() - 60_000);
  const push = { profile: file('main 5'), labels, timeMs, pushId: 'ci-1' };
  await server.client.writePprof(push);
  const again = { ...push, labels: { region: 'a', service_name: 'pushed' }, timeMs: timeMs + 30_000n };
  expect(await server.client.writePprof(again)).toMatchObject({ duplicate: true });
  for (const other of [
    { ...push, profile: file('main 6') },
    { ...push, labels: { ...labels, region: 'b' } },
  ]) {
    const error = await refusal(server.client.writePprof(other));
    expect(error.code).toBe(Code.AlreadyExists);
    expect(error.rawMessage).toMatch(/another push_id/);
  }
  expect(await server.client.writePprof({ ...push, profile: file('main 6'), pushId: 'ci-2' })).toMatchObject({
    duplicate: false,
  });
  expect(await storeSums(server.store)).toEqual(new Map([['pushed main', 11]]));
});
