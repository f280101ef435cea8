import { gzipSync } from 'node:zlib';
import { Code, ConnectError } from '@connectrpc/connect';
import { scaled, testSeed } from '@fleetflame/testing';
import { BlockBuilder, encodeBlock, encodePprof, FleetflameError, type Block } from '@fleetflame/profile';
import { blockFromText, TEST_PROFILE_TYPE } from '@fleetflame/profile/testing';
import { expect, test } from 'vitest';
import { INGEST_LIMITS } from './limits.ts';
import { metric, startIngestServer } from './testing/ingest-server.ts';
import { storeSums } from './testing/store-sums.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const QUICK = { segmentMs: 30 };
const HOUR = 3_600_000;
/** The store's default. */
const REMEMBER_MS = 26 * HOUR;

function batch(text: string, options: { timeMs?: number; labels?: Record<string, string> } = {}): Uint8Array {
  return encodeBlock(blockFromText(text, { timeMs: Date.now() - 5000, ...options }));
}

/** What the client saw: its status, the field and the message. */
async function refusal(call: Promise<unknown>): Promise<{ code: Code; field: string; message: string }> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  return {
    code: error.code,
    field: decodeURI(error.metadata.get('field') ?? ''),
    message: error.rawMessage,
  };
}

test('I1: what was acked is there after the store is opened again', async () => {
  using directory = temporaryDirectory();
  {
    await using server = await startIngestServer(directory.path, { limits: QUICK });
    const request = { agentId: 'agent-1', seq: 0n, block: batch('main;parse 30\nmain;write 12') };
    expect(await server.client.write(request)).toMatchObject({ duplicate: false });
    expect(await metric(server.registry, 'fleetflame_ingest_rows_total', '{source="agent"}')).toBe(2);
  }
  await using server = await startIngestServer(directory.path);
  expect(await storeSums(server.store)).toEqual(
    new Map([
      ['test parse', 30],
      ['test write', 12],
    ]),
  );
});

test('batches that arrive together become one segment', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: { segmentMs: 1500 } });
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      server.client.write({ agentId: `agent-${index}`, seq: 0n, block: batch('main 1') }),
    ),
  );
  expect((await server.store.status()).levels).toMatchObject([{ level: 0, blocks: 1 }]);
  expect(await storeSums(server.store)).toEqual(new Map([['test main', 20]]));
});

test('a segment that holds enough bytes is written before its time', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, {
    limits: { segmentMs: 600_000, segmentBytes: 1 },
  });
  expect(await server.client.write({ agentId: 'a', seq: 0n, block: batch('main 1') })).toMatchObject({
    duplicate: false,
  });
});

test('I2: a retry of an acked batch is acked as a duplicate, by this process and by the next', async () => {
  using directory = temporaryDirectory();
  const request = { agentId: 'agent-1', seq: 7n, block: batch('main 5') };
  {
    await using server = await startIngestServer(directory.path, { limits: QUICK });
    await server.client.write(request);
    expect(await server.client.write(request)).toMatchObject({ duplicate: true });
  }
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const other = { agentId: 'agent-2', seq: 7n, block: batch('main 100') };
  const [repeated, fresh] = await Promise.all([server.client.write(request), server.client.write(other)]);
  expect(repeated).toMatchObject({ duplicate: true });
  expect(fresh).toMatchObject({ duplicate: false });
  expect(await storeSums(server.store)).toEqual(new Map([['test main', 105]]));
  expect(await metric(server.registry, 'fleetflame_ingest_duplicates_total', '{source="agent"}')).toBe(1);
  expect(await metric(server.registry, 'fleetflame_ingest_segments_total', '{outcome="rebuilt"}')).toBe(1);
});

test('I2: the same batch twice at once counts once, and both calls wait for the commit', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const request = { agentId: 'agent-1', seq: 0n, block: batch('main 5') };
  await Promise.all([
    server.client.write(request),
    server.client.write(request),
    server.client.write(request),
  ]);
  expect(await storeSums(server.store)).toEqual(new Map([['test main', 5]]));
});

test('I2: a segment that was committed but not acked is not counted again by the retries', async () => {
  using directory = temporaryDirectory();
  let lose = true;
  await using server = await startIngestServer(directory.path, {
    limits: QUICK,
    wrap: (store) => ({
      retentionMs: store.retentionMs,
      rememberBatchesMs: store.rememberBatchesMs,
      now: () => store.now(),
      async commitSegment(segment) {
        const result = await store.commitSegment(segment);
        if (!lose) return result;
        throw new FleetflameError('unavailable', 'the answer was lost');
      },
    }),
  });
  const requests = Array.from({ length: 5 }, (_, index) => ({
    agentId: `agent-${index}`,
    seq: 0n,
    block: batch('main 1'),
  }));
  const first = await Promise.all(requests.map((request) => refusal(server.client.write(request))));
  expect(new Set(first.map((error) => error.code))).toEqual(new Set([Code.Unavailable]));
  lose = false;
  const second = await Promise.all(requests.map((request) => server.client.write(request)));
  expect(second.every((response) => response.duplicate)).toBe(true);
  expect(await storeSums(server.store)).toEqual(new Map([['test main', 5]]));
});

test('a segment that cannot be stored fails its own batches with a retryable error and no others', async () => {
  using directory = temporaryDirectory();
  let fail = true;
  await using server = await startIngestServer(directory.path, {
    limits: QUICK,
    wrap: (store) => ({
      retentionMs: store.retentionMs,
      rememberBatchesMs: store.rememberBatchesMs,
      now: () => store.now(),
      commitSegment(segment) {
        if (fail) throw new FleetflameError('unavailable', 'the disk is full');
        return store.commitSegment(segment);
      },
    }),
  });
  const request = { agentId: 'agent-1', seq: 0n, block: batch('main 1') };
  const error = await refusal(server.client.write(request));
  expect(error.code).toBe(Code.Unavailable);
  expect(error.message).toContain('the disk is full');
  fail = false;
  expect(await server.client.write(request)).toMatchObject({ duplicate: false });
  expect(await storeSums(server.store)).toEqual(new Map([['test main', 1]]));
});

test('refused input names its reason and its field, and the server goes on', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, {
    limits: { ...QUICK, batchBytes: 50_000, labelsPerSeries: 3, labelValueLength: 100, seriesPerBatch: 5 },
  });
  const good = batch('main;parse 30\nmain;write 12');
  const cut = good.subarray(0, good.length - 40);
  const flipped = good.slice();
  flipped[good.length >> 1]! ^= 1;
  const many = new BlockBuilder();
  for (let index = 0; index < 6; index++) {
    many.add(many.series(TEST_PROFILE_TYPE, 1, { service_name: `s${index}` }), 0, Date.now(), 1);
  }
  const labels = (extra: Record<string, string>) =>
    batch('main 1', { labels: { service_name: 'x', ...extra } });
  const cases: [
    string,
    Partial<{ agentId: string; seq: bigint; block: Uint8Array }>,
    Code,
    string,
    RegExp,
  ][] = [
    ['empty id', { agentId: '' }, Code.InvalidArgument, 'agent_id', /1 to 64/],
    ['bad id', { agentId: '../../etc' }, Code.InvalidArgument, 'agent_id', /A-Z/],
    ['long id', { agentId: 'x'.repeat(65) }, Code.InvalidArgument, 'agent_id', /1 to 64/],
    ['huge seq', { seq: 2n ** 60n }, Code.InvalidArgument, 'seq', /counts batches/],
    ['empty block', { block: new Uint8Array() }, Code.InvalidArgument, 'block', /block/i],
    ['no block', { block: new TextEncoder().encode('hello') }, Code.InvalidArgument, 'block', /./],
    ['cut', { block: cut }, Code.InvalidArgument, 'block', /./],
    ['flipped', { block: flipped }, Code.InvalidArgument, 'block', /./],
    ['too large', { block: new Uint8Array(60_000) }, Code.OutOfRange, 'block', /60000 bytes.*50000/],
    [
      'labels',
      { block: labels({ a: '1', b: '2', c: '3' }) },
      Code.OutOfRange,
      'series[0].labels',
      /4 labels/,
    ],
    ['value', { block: labels({ a: 'x'.repeat(101) }) }, Code.OutOfRange, 'series.labels', /101 characters/],
    ['series', { block: encodeBlock(many.build()) }, Code.OutOfRange, 'series', /6 series, the limit is 5/],
    [
      'future',
      { block: batch('a 1', { timeMs: Date.now() + HOUR }) },
      Code.ResourceExhausted,
      'block.time_end_ms',
      /NTP/,
    ],
    [
      'past',
      { block: batch('a 1', { timeMs: Date.now() - 8 * 24 * HOUR }) },
      Code.ResourceExhausted,
      'block.time_end_ms',
      /kept for 604800 s/,
    ],
    [
      'span',
      { block: batch(`a 1\nb 1 @+${25 * HOUR}`, { timeMs: Date.now() - 26 * HOUR }) },
      Code.OutOfRange,
      'block.time_end_ms',
      /spans/,
    ],
  ];
  for (const [name, change, code, field, message] of cases) {
    const error = await refusal(server.client.write({ agentId: 'a', seq: 0n, block: good, ...change }));
    expect([name, error.code]).toEqual([name, code]);
    expect([name, error.field.startsWith(field)]).toEqual([name, true]);
    expect(error.message).toMatch(message);
  }
  const text = await server.registry.metrics();
  for (const reason of [
    'agent_id',
    'seq',
    'format',
    'batchBytes',
    'labelsPerSeries',
    'futureMs',
    'retention',
  ]) {
    expect(text).toMatch(new RegExp(`refused_total\\{reason="${reason}"\\} [1-9]`));
  }
  expect(await server.client.write({ agentId: 'a', seq: 0n, block: good })).toMatchObject({
    duplicate: false,
  });
  expect(await storeSums(server.store)).toEqual(
    new Map([
      ['test parse', 30],
      ['test write', 12],
    ]),
  );
});

test('any damaged batch is refused or whole: never a wrong sum, never a dead server', async () => {
  using directory = temporaryDirectory();
  const seed = testSeed();
  let state = seed;
  const below = (limit: number) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % limit;
  await using server = await startIngestServer(directory.path, { limits: { segmentMs: 1 } });
  const good = batch('main;parse 30\nmain;write 12\nother 7 @+1000');
  const codes = new Set<Code | 'acked'>();
  let acked = 0;
  for (let seq = 0; seq < scaled(150); seq++) {
    const block = below(3) === 0 ? good.slice(0, below(good.length)) : good.slice();
    for (let flips = below(4); flips > 0 && block.length > 0; flips--) {
      block[below(block.length)]! ^= 1 << below(8);
    }
    const call = server.client.write({ agentId: 'fuzz', seq: BigInt(seq), block });
    const whole = Buffer.compare(block, good) === 0;
    if (whole) acked++;
    codes.add(
      await call.then(
        () => (whole ? 'acked' : Code.Internal),
        (error) => ConnectError.from(error).code,
      ),
    );
  }
  const allowed = new Set<Code | 'acked'>(['acked', Code.InvalidArgument, Code.OutOfRange]);
  const one = { 'test parse': 30, 'test write': 12, 'test other': 7 };
  expect({
    seed,
    codes: [...codes].filter((code) => !allowed.has(code)),
    sums: await storeSums(server.store),
  }).toEqual({
    seed,
    codes: [],
    sums: new Map(Object.entries(one).map(([name, value]) => [name, value * acked])),
  });
});

test('I8: more than the limit of waiting batches or bytes is overloaded, counted, and can be sent again', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, {
    limits: { segmentMs: 300, pendingBatches: 3 },
  });
  const write = (seq: number) =>
    server.client.write({ agentId: 'a', seq: BigInt(seq), block: batch('main 1') });
  const results = await Promise.allSettled(Array.from({ length: 10 }, (_, seq) => write(seq)));
  const failed = results.filter((result) => result.status === 'rejected');
  expect(failed).toHaveLength(7);
  expect(failed.every(({ reason }) => ConnectError.from(reason).code === Code.ResourceExhausted)).toBe(true);
  expect(await metric(server.registry, 'fleetflame_ingest_refused_total', '{reason="pendingBatches"}')).toBe(
    7,
  );
  for (let seq = 0; seq < 10; seq += 3) {
    await Promise.allSettled([write(seq), write(seq + 1), write(seq + 2)]);
  }
  expect(await storeSums(server.store)).toEqual(new Map([['test main', 12]]));
});

test('fifty writers at once: the sums are exact', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const expected = new Map<string, number>();
  await Promise.all(
    Array.from({ length: 50 }, async (_, writer) => {
      for (let seq = 0; seq < 6; seq++) {
        const labels = { service_name: `service-${writer % 7}` };
        const value = writer * 1000 + seq + 1;
        const block = batch(`main;work ${value}\nmain;shared 1 @+${seq * 100}`, { labels });
        const request = { agentId: `agent-${writer}`, seq: BigInt(seq), block };
        await server.client.write(request);
        if (seq % 3 === 0) await server.client.write(request);
        for (const [leaf, sum] of [
          ['work', value],
          ['shared', 1],
        ] as const) {
          const name = `${labels.service_name} ${leaf}`;
          expected.set(name, (expected.get(name) ?? 0) + sum);
        }
      }
    }),
  );
  expect(await storeSums(server.store)).toEqual(expected);
});

test('I2: a repeat is known for as long as one is taken; afterwards it is refused', async () => {
  using directory = temporaryDirectory();
  const start = Date.now();
  const request = { agentId: 'agent-1', seq: 7n, block: batch('main 5') };
  const serve = (ageMs: number) =>
    startIngestServer(directory.path, { limits: QUICK, now: () => start + ageMs });
  const maintained = async (ageMs: number) => {
    const server = await serve(ageMs);
    await server.store.maintain();
    return server;
  };
  {
    await using server = await serve(0);
    expect(await server.client.write(request)).toMatchObject({ duplicate: false });
  }
  {
    await using server = await maintained(INGEST_LIMITS.batchAgeMs - 10_000);
    expect(await server.client.write(request)).toMatchObject({ duplicate: true });
  }
  await using server = await maintained(REMEMBER_MS + 1000);
  // The clock has jumped, as far as the store knows: it is in no hurry to forget.
  const { code, field, message } = await refusal(server.client.write(request));
  // By the clocks: which of them is wrong is not known here.
  expect([code, field]).toEqual([Code.ResourceExhausted, 'block.time_end_ms']);
  expect(message).toContain('--spool-age');
  const labels = '{reason="batchAgeMs"}';
  expect(await metric(server.registry, 'fleetflame_ingest_refused_total', labels)).toBe(1);
  // A push has no place in an agent's spool: what it repeats it repeats at once.
  const profile = pprof(blockFromText('main 9', { timeMs: start }));
  expect(
    await server.client.writePprof({ profile, labels: { service_name: 'x' }, pushId: 'p' }),
  ).toMatchObject({ duplicate: false });
  expect((await server.store.status()).batches).toBe(2);
});

test('ingest that would take what the store has forgotten does not start', async () => {
  using directory = temporaryDirectory();
  const start = startIngestServer(directory.path, { rememberBatchesMs: INGEST_LIMITS.batchAgeMs });
  await expect(start).rejects.toMatchObject({ code: 'invalid_input', field: 'batchAgeMs' });
});

test('batches of different days arrive in one second and rest in blocks of their own', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, {
    limits: { segmentMs: 200, batchAgeMs: 5 * 24 * HOUR },
    rememberBatchesMs: 6 * 24 * HOUR,
  });
  await Promise.all(
    [0, 2, 4].map((days) =>
      server.client.write({
        agentId: 'a',
        seq: BigInt(days),
        block: batch('main 1', { timeMs: Date.now() - days * 24 * HOUR - 1000 }),
      }),
    ),
  );
  expect((await server.store.status()).levels).toMatchObject([{ level: 0, blocks: 3 }]);
});

test('close flushes what waits, acks it, and refuses what comes after', async () => {
  using directory = temporaryDirectory();
  {
    await using server = await startIngestServer(directory.path, { limits: { segmentMs: 600_000 } });
    const block = batch('main 1');
    const waiting = server.client.write({ agentId: 'a', seq: 0n, block });
    await expect.poll(() => metric(server.registry, 'fleetflame_ingest_pending_batches')).toBe(1);
    await server.ingest.close();
    expect(await waiting).toMatchObject({ duplicate: false });
    const late = await refusal(server.client.write({ agentId: 'a', seq: 1n, block }));
    expect(late.code).toBe(Code.Unavailable);
  }
  await using again = await startIngestServer(directory.path);
  expect(await storeSums(again.store)).toEqual(new Map([['test main', 1]]));
});

const pprof = (block: Block) => encodePprof(block, { profileType: TEST_PROFILE_TYPE });

test('a pushed pprof file is stored under the labels and the time of the request', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const timeMs = BigInt(Date.now() - 3 * HOUR);
  const profile = pprof(blockFromText('main;parse 30\nmain;write 12', { labels: {} }));
  const labels = { service_name: 'pushed', host_name: 'h' };
  const response = await server.client.writePprof({ profile, labels, timeMs });
  expect(response).toMatchObject({ rows: 2n, timeMs, duplicate: false });
  expect(response.totals).toMatchObject([{ profileType: TEST_PROFILE_TYPE, total: 42n }]);
  expect(await storeSums(server.store)).toEqual(
    new Map([
      ['pushed parse', 30],
      ['pushed write', 12],
    ]),
  );
  expect((await server.store.snapshot({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER })).blocks).toMatchObject([
    { timeMinMs: Number(timeMs) },
  ]);
});

test('every push counts, but a push with an id counts once', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const profile = pprof(blockFromText('main 1', { timeMs: Date.now() - 1000 }));
  const push = (pushId?: string) => server.client.writePprof({ profile, pushId: pushId ?? '' });
  await push();
  await push();
  expect(await storeSums(server.store)).toEqual(new Map([['test main', 2]]));
  expect(await push('upload-1')).toMatchObject({ duplicate: false });
  expect(await push('upload-1')).toMatchObject({ duplicate: true });
  expect(await storeSums(server.store)).toEqual(new Map([['test main', 3]]));
});

test('a push without a service, of another age, or that is no pprof is refused with what to do', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const nameless = pprof(blockFromText('main 1', { labels: {}, timeMs: Date.now() }));
  const old = pprof(blockFromText('main 1', { timeMs: 1_600_000_000_000 }));
  const garbage = new TextEncoder().encode('this is not a profile');
  expect(await refusal(server.client.writePprof({ profile: nameless }))).toMatchObject({
    code: Code.InvalidArgument,
    field: 'labels.service_name',
    message: expect.stringContaining('--label service_name='),
  });
  expect(await refusal(server.client.writePprof({ profile: old }))).toMatchObject({
    code: Code.InvalidArgument,
    message: expect.stringContaining('--time now'),
  });
  expect(await refusal(server.client.writePprof({ profile: garbage }))).toMatchObject({
    code: Code.InvalidArgument,
  });
  expect(await refusal(server.client.writePprof({ profile: old, pushId: 'a b' }))).toMatchObject({
    code: Code.InvalidArgument,
    field: 'push_id',
  });
});

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

test('WriteProfile takes any format, with the type that is said, and names what is none', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: QUICK });
  const labels = { service_name: 'pushed' };
  const folded = {
    profile: gzipSync(text('main;parse 30\nmain;write 12\n')),
    labels,
    type: 'cpu',
    pushId: 'p',
  };
  const stored = await server.client.writeProfile(folded);
  expect(stored).toMatchObject({ format: 'folded', rows: 2n, duplicate: false });
  expect(stored.totals).toMatchObject([{ profileType: TEST_PROFILE_TYPE, total: 42n }]);
  expect(stored.changes).toMatchObject([{ what: 'time_missing', count: 1n }]);
  expect(await storeSums(server.store)).toEqual(
    new Map([
      ['pushed parse', 30],
      ['pushed write', 12],
    ]),
  );
  expect(await server.client.writeProfile(folded)).toMatchObject({ duplicate: true });
  // Read as something else it is something else.
  expect(await refusal(server.client.writeProfile({ ...folded, type: 'wall' }))).toMatchObject({
    code: Code.AlreadyExists,
  });
  for (const [request, message] of [
    [{ profile: text('<!doctype html>') }, /an HTML page/],
    [{ profile: text('main 1'), format: 'pprof' }, /pprof/],
    [{ profile: text('main 1'), format: 'x' }, /There is no format/],
    [{ profile: text('main 1'), type: 'a:b' }, /is not a profile type/],
  ] as const) {
    const refused = await refusal(server.client.writeProfile({ labels, ...request }));
    expect(refused).toMatchObject({ code: Code.InvalidArgument });
    expect(refused.message).toMatch(message);
  }
  expect(await metric(server.registry, 'fleetflame_ingest_refused_total', '{reason="format"}')).toBe(4);
});

test('odd values of a pushed file cost nothing else, are told and counted; a file without samples is taken', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: { ...QUICK, stackDepth: 3 } });
  const deep = pprof(blockFromText('a;b;c;d;e 30\nmain 12', { timeMs: 0 }));
  const before = BigInt(Date.now());
  const response = await server.client.writePprof({ profile: deep });
  expect(response.timeMs).toBeGreaterThanOrEqual(before);
  expect(response.totals).toMatchObject([{ total: 42n }]);
  expect(response.changes).toMatchObject([
    { what: 'time_missing', count: 1n, meaning: expect.stringContaining('arrival') },
    { what: 'stack_cut', count: 1n, example: 'sample[0]: 5 frames' },
  ]);
  expect(await storeSums(server.store)).toEqual(
    new Map([
      ['test e', 30],
      ['test main', 12],
    ]),
  );
  const changed = (what: string) =>
    metric(server.registry, 'fleetflame_ingest_changed_total', `{what="${what}"}`);
  expect(await changed('stack_cut')).toBe(1);
  const empty = pprof(blockFromText('', {}));
  expect(await server.client.writePprof({ profile: empty, pushId: 'e' })).toMatchObject({
    rows: 0n,
    duplicate: false,
    totals: [{ total: 0n }],
  });
  expect(await changed('no_samples')).toBe(1);
});

test.each([
  ['rowsPerBatch', 2, /3 sample rows, the limit is 2/, Code.OutOfRange],
  ['stackDepth', 2, /A stack has 3 frames, the limit is 2/, Code.OutOfRange],
  [
    'activeSeries',
    0,
    /has 0 active series and the batch brings 1 more, the limit is 0;/,
    Code.ResourceExhausted,
  ],
] as const)('a batch over %s is refused by name and counted', async (limit, value, message, code) => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: { ...QUICK, [limit]: value } });
  const block = batch('main;a;b 1\nmain;a 2\nmain 3');
  const refused = await refusal(server.client.write({ agentId: 'a', seq: 0n, block }));
  expect(refused.code).toBe(code);
  expect(refused.message).toMatch(message);
  expect(await metric(server.registry, 'fleetflame_ingest_refused_total', `{reason="${limit}"}`)).toBe(1);
  expect(await storeSums(server.store)).toEqual(new Map());
});

test('a tenant over its rate is told to try again, and then gets through', async () => {
  using directory = temporaryDirectory();
  let nowMs = Date.now();
  const limits = { ...QUICK, bytesPerSecond: 30 };
  await using server = await startIngestServer(directory.path, { limits, now: () => nowMs });
  const send = (seq: bigint) => server.client.write({ agentId: 'a', seq, block: batch('main 1') });
  await send(0n);
  const refused = await refusal(send(1n));
  expect(refused.code).toBe(Code.ResourceExhausted);
  expect(refused.message).toMatch(/send the batch again in \d+ s/);
  expect(await metric(server.registry, 'fleetflame_ingest_refused_total', '{reason="bytesPerSecond"}')).toBe(
    1,
  );
  nowMs += 590_000;
  expect(await send(1n)).toMatchObject({ duplicate: false });
});
