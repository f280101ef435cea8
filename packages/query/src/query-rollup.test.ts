/** The same questions to a store with rollups and to one without: the same answers, from other blocks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scaled, testSeed } from '@fleetflame/testing';
import { blockFromText } from '@fleetflame/profile/testing';
import { mergeBlocks } from '@fleetflame/profile';
import { ExportFormat } from '@fleetflame/proto/query/v1/query';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { QueryServer } from './testing/query-server.ts';
import { CPU, present, rows } from './testing/questions.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 9, 1);
const HOURS = 72;

const clock = { nowMs: START };
const now = () => clock.nowMs;
let plain: QueryServer;
let rolled: QueryServer;

beforeAll(async () => {
  plain = await QueryServer.start({}, { now });
  rolled = await QueryServer.start(
    {},
    {
      now,
      retentionMs: 100 * DAY,
      rollups: { fiveMinutesMs: 200 * DAY, hourMs: 400 * DAY },
    },
  );
  for (let hour = 0; hour < HOURS; hour++) {
    clock.nowMs = START + hour * HOUR + 3 * MINUTE;
    const parts = ['api', 'db'].flatMap((service) =>
      ['a', 'b'].map((host) =>
        blockFromText(
          `main;f${hour % 5};g ${1 + hour}
           main;f${hour % 3} 7 @+${(hour * 37) % 60}000
           main;h 2 @+${20 * MINUTE}
           main;h 5 @+${50 * MINUTE + hour}`,
          { timeMs: START + hour * HOUR, labels: { service_name: service, host_name: host } },
        ),
      ),
    );
    const block = mergeBlocks(parts);
    for (const server of [plain, rolled]) await server.commit(block);
  }
  for (const laterMs of [0, 30 * HOUR, MINUTE, MINUTE]) {
    clock.nowMs += laterMs;
    for (const server of [plain, rolled]) await server.store.maintain();
  }
}, 300_000);
afterAll(async () => {
  await plain.close();
  await rolled.close();
});

/** Every kind of answer, without what may differ: the coverage. */
async function answers(server: QueryServer, fromMs: number, toMs: number, selector: string) {
  const scope = { fromMs: BigInt(fromMs), toMs: BigInt(toMs), selector, profileType: CPU };
  const { client } = server;
  const flame = await client.flameGraph({ scope, groupBy: ['service_name'] });
  const top = await client.top({ scope });
  const steps = [10 * MINUTE, HOUR, 3 * HOUR, 7 * MINUTE];
  const series = await Promise.all(
    steps.map((stepMs) => client.series({ scope, stepMs: BigInt(stepMs), groupBy: ['service_name'] })),
  );
  const services = await client.labelValues({ scope, name: 'service_name' });
  const hosts = await client.labelValues({ scope, name: 'host_name' });
  const names = await client.labelNames({ scope });
  const types = await client.profileTypes({ fromMs: scope.fromMs, toMs: scope.toMs });
  const main = await client.functionDetails({ scope, name: 'main' });
  const folded = await client.export({
    scope,
    groupBy: ['service_name'],
    format: ExportFormat.FOLDED,
  });
  return {
    total: flame.total,
    flame: rows(flame.table),
    top: top.functions,
    series: series.map(({ timesMs, groups }) => ({ timesMs, groups })),
    services: services.values,
    hosts: hosts.values,
    names: names.names,
    main: { self: main.self, total: main.total, lines: main.lines, builds: main.builds },
    folded: new TextDecoder().decode(folded.file),
    types: types.types,
    missing: present(flame.coverage).missing,
  };
}

test('random ranges and selectors are answered alike to the last integer', async () => {
  const seed = testSeed();
  let state = seed;
  const below = (limit: number) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % limit;
  const selectors = ['', '{service_name="api"}', '{host_name="a"}', '{service_name=~"d.*"}'];
  for (let round = 0; round < scaled(12); round++) {
    const a = START + below(HOURS * HOUR);
    const b = START + below(HOURS * HOUR);
    const step = [1, 1000, 5 * MINUTE, HOUR][below(4)]!;
    const fromMs = Math.floor(Math.min(a, b) / step) * step;
    const toMs = Math.floor(Math.max(a, b) / step) * step + 1 + below(2) * (step - 1);
    const selector = selectors[below(selectors.length)]!;
    const what = { seed, round, fromMs: fromMs - START, toMs: toMs - START, selector };
    expect({ what, ...(await answers(rolled, fromMs, toMs, selector)) }).toEqual({
      what,
      ...(await answers(plain, fromMs, toMs, selector)),
    });
  }
});

test('all of it is read from rollups, unless the question is about what they do not have', async () => {
  const range = { fromMs: START, toMs: START + HOURS * HOUR };
  const resolutions = async (labels: readonly string[]) => {
    const snapshot = await rolled.store.snapshot({ ...range, needs: { labels } });
    snapshot.release();
    return [...new Set(snapshot.blocks.map((block) => block.resolutionMs))];
  };
  expect(await resolutions(['service_name'])).toEqual([HOUR]);
  expect(await resolutions(['host_name'])).toEqual([0]);
  const scope = { fromMs: BigInt(range.fromMs), toMs: BigInt(range.toMs), selector: '', profileType: CPU };
  const coarse = await rolled.client.top({ scope });
  const fine = await plain.client.top({ scope });
  expect(coarse.functions).toEqual(fine.functions);
  // Half the series, a fraction of the points.
  expect(Number(present(coarse.coverage).sampleRows)).toBeLessThan(Number(present(fine.coverage).sampleRows));
});

test('a damaged rollup is found once, and then answered from what it was made of', async () => {
  const range = { fromMs: START, toMs: START + HOURS * HOUR };
  const scope = { fromMs: BigInt(range.fromMs), toMs: BigInt(range.toMs), selector: '', profileType: CPU };
  const snapshot = await rolled.store.snapshot({ ...range, needs: { labels: [] } });
  snapshot.release();
  const rollup = snapshot.blocks.find((block) => block.resolutionMs === HOUR)!;
  const path = join(rolled.dataDir, 'objects', rollup.key);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
  const read = await rolled.fresh((client) => client.flameGraph({ scope, groupBy: ['host_ip'] }));
  expect(present(read.coverage).missing).toMatchObject([{ blockId: rollup.id }]);
  expect(await answers(rolled, range.fromMs, range.toMs, '')).toEqual(
    await answers(plain, range.fromMs, range.toMs, ''),
  );
  // Without the finer blocks, the answer says what it lacks.
  clock.nowMs += 250 * DAY;
  const late = await rolled.client.flameGraph({ scope });
  expect(present(late.coverage).missing).toMatchObject([{ blockId: rollup.id }]);
  expect(late.total).toBeLessThan((await plain.client.flameGraph({ scope })).total);
});
