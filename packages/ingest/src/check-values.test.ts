/** Values that cannot be true are refused, counted, and never part of a sum; what is only unusual is taken. */
import { Code, ConnectError } from '@connectrpc/connect';
import { BlockBuilder, encodeBlock, encodePprof, type Block } from '@fleetflame/profile';
import { expect, test } from 'vitest';
import { metric, startIngestServer } from './testing/ingest-server.ts';
import { storeSums } from './testing/store-sums.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const QUICK = { segmentMs: 30 };
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const DELAY = 'block:delay:nanoseconds:contentions:count';
const SECOND = 1e9;
const labels = { service_name: 'x' };

/** One function with these values, each at a time of its own. */
function profile(type: string, values: readonly number[], spreadMs = 0): Block {
  const builder = new BlockBuilder();
  const series = builder.series(type, 0, labels);
  const function_ = builder.function(builder.string('main'), builder.string('main'), 0, 0);
  const stack = builder.stack(0, builder.location(0, 0, 0, [function_, 0]));
  const startMs = Date.now() - 60_000;
  for (const [i, value] of values.entries()) builder.add(series, stack, startMs + i * spreadMs, value);
  return builder.build();
}

/** `durationMs` 0: it does not say. */
function pprof(type: string, value: number, durationMs: number): Uint8Array {
  const fromMs = Date.now() - 60_000;
  const range = { fromMs, toMs: fromMs + durationMs };
  return encodePprof(profile(type, [value]), { profileType: type, ...range });
}

async function refusal(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  return error;
}

test('a profile with more CPU time than CPUs have, or less than none, is refused and hides nothing', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const push = (file: Uint8Array) => server.client.writePprof({ profile: file, labels });
  await push(pprof(CPU, 60 * SECOND, 60_000));
  for (const [file, message] of [
    [pprof(CPU, -SECOND, 10_000), /sample\[0\]: process_cpu:cpu.* -1000000000, .*difference of two profiles/],
    [pprof('heap:space:bytes:space:bytes', -1, 0), /cannot be less than 0/],
    [pprof('heap:objects:count:space:bytes', -1, 0), /cannot be less than 0/],
    [pprof(CPU, Number.MAX_SAFE_INTEGER, 0), /9007199 s of CPU time .* 4096 CPUs .* does not say/],
    [pprof(CPU, Number.MAX_SAFE_INTEGER, 60_000), /more than 4096 CPUs have in its 60 s/],
    [pprof('cpu:cpu:microseconds:cpu:microseconds', 1e13, 60_000), /10000000 s of CPU time/],
  ] as const) {
    const error = await refusal(push(file));
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, expect.stringMatching(message)]);
  }
  const name = 'fleetflame_ingest_implausible_total';
  expect(await metric(server.registry, name, '{source="pprof",reason="negative"}')).toBe(3);
  expect(await metric(server.registry, name, '{source="pprof",reason="cpu_time"}')).toBe(3);
  expect(await storeSums(server.store)).toEqual(new Map([['x main', 60 * SECOND]]));
});

test('what is only unusual is taken: delays of years, a day of CPU, no duration, a unit that may be negative', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  for (const file of [
    pprof(DELAY, 2.6e16, 0),
    pprof(CPU, 86_400 * SECOND, 0),
    pprof(CPU, 4096 * 10 * SECOND, 10_000),
    pprof('wall:wall:nanoseconds:wall:nanoseconds', 1e16, 1000),
    pprof('sensor:change:celsius:time:nanoseconds', -5, 0),
  ]) {
    expect((await server.client.writePprof({ profile: file, labels })).rows).toBe(1n);
  }
});

test("an agent's batch has no more CPU time than its host's CPUs, and no negative one between others", async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  let seq = 0n;
  const write = (block: Block, cpus: number) =>
    server.client.write({ agentId: 'a', seq: seq++, block: encodeBlock(block), cpus });
  const busy = Array.from({ length: 10 }, () => 8 * SECOND);
  await write(profile(CPU, busy, 1000), 8);
  await write(profile(CPU, [SECOND]), 1);
  expect((await refusal(write(profile(CPU, busy, 1000), 2))).rawMessage).toMatch(/more than 2 CPUs have/);
  // Who does not say how many: as many as the largest hosts have, four times.
  await write(profile(CPU, busy, 1000), 0);
  expect((await refusal(write(profile(CPU, [2 ** 53 - 1]), 0))).code).toBe(Code.InvalidArgument);
  expect((await refusal(write(profile(CPU, [2 ** 53 - 1]), 2 ** 31))).code).toBe(Code.InvalidArgument);
  expect((await refusal(write(profile(CPU, [5 * SECOND, -SECOND, SECOND], 1000), 8))).code).toBe(
    Code.InvalidArgument,
  );
  const name = 'fleetflame_ingest_implausible_total';
  expect(await metric(server.registry, name, '{source="agent",reason="cpu_time"}')).toBe(3);
  expect(await metric(server.registry, name, '{source="agent",reason="negative"}')).toBe(1);
  expect(await storeSums(server.store)).toEqual(new Map([['x main', 161 * SECOND]]));
});
