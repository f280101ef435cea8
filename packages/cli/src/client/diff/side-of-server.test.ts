import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BlockBuilder, compareProfiles, encodePprof, type Comparison } from '@fleetflame/profile';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../connection.ts';
import { parseScopeArgument } from './scope-argument.ts';
import { sideOfServer } from './side-of-server.ts';
import type { DiffSide } from './side.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const PERIOD_NS = 10_000_000;

let dataDir: string;
let server: ChildProcess;
let url: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'fleetflame-side-'));
  const args = [MAIN, 'up', '--listen=127.0.0.1:0', `--data=${dataDir}`, '--no-agent'];
  server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  url = await new Promise((resolve, reject) => {
    let said = '';
    server.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /is up: (http:\S+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
  await push('old', 0);
  await push('new', 5);
});

afterAll(async () => {
  if (server.exitCode === null) {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    await ended;
  }
  await rm(dataDir, { recursive: true, force: true });
});

/** 100 hosts; by host the tree has 301 nodes, by bucket at most 97, and 3 without. */
async function push(version: string, more: number): Promise<void> {
  const builder = new BlockBuilder();
  const fn = (name: string): number =>
    builder.location(0, 0, 0, [builder.function(builder.string(name), 0, 0, 0), 0]);
  for (let host = 0; host < 100; host++) {
    const series = builder.series(CPU, PERIOD_NS, { host_name: `${version}-${host}` });
    const main = builder.stack(0, fn('main'));
    builder.add(series, main, 1_700_000_000_000, (90 + (host % 7)) * PERIOD_NS);
    builder.add(
      series,
      builder.stack(main, fn('parse')),
      1_700_000_000_000,
      (20 + more + (host % 5)) * PERIOD_NS,
    );
  }
  await connect(url).ingest.writeProfile({
    profile: encodePprof(builder.build(), { profileType: CPU }),
    labels: { service_name: 'api', service_version: version },
    pushId: version,
    timeMs: BigInt(Date.now()),
  });
}

async function asked(
  maxNodes: number,
): Promise<{ readonly sides: readonly DiffSide[]; readonly comparison: Comparison }> {
  const range = { fromMs: Date.now() - 3_600_000, toMs: Date.now() + 60_000 };
  const side = async (version: string): Promise<DiffSide> => {
    const argument = `cpu{service_version="${version}"}`;
    return await sideOfServer(argument, parseScopeArgument(argument, range, ''), connect(url), maxNodes);
  };
  const [base, next] = [await side('old'), await side('new')];
  const comparison = compareProfiles(base.profile, next.profile, {
    spanMs: [base.facts.spanMs, next.facts.spanMs],
    sampleValue: [base.facts.sampleValue, next.facts.sampleValue],
  });
  return { sides: [base, next], comparison };
}

test('by host, and by buckets where that is too much, the answer is the same', async () => {
  const [byHost, byBucket] = [await asked(1_000_000), await asked(150)];
  for (const { sides, comparison } of [byHost, byBucket]) {
    expect(comparison).toMatchObject({ basis: 'hosts', paired: false });
    expect(sides.map(({ facts, notes }) => [facts.hosts, facts.pruned, notes])).toEqual([
      [100, 0, []],
      [100, 0, []],
    ]);
  }
  expect(byBucket.sides[0]?.profile.tree.length).toBeLessThan(100);
  expect(byBucket.sides[0]?.profile.hosts?.size).toBe(100);
  expect(byBucket.comparison.functions).toEqual(byHost.comparison.functions.map((fn) => ({ ...fn })));
  const parse = byHost.comparison.functions.find(({ name }) => name === 'parse');
  expect(parse).toMatchObject({ baseSelf: 2200 * PERIOD_NS, self: 2700 * PERIOD_NS });
  expect(parse?.selfTest).toMatchObject({ significant: true, degreesOfFreedom: expect.any(Number) });
});

test('where buckets are too much, too, only sampling is known, and it says so; what is pruned is said', async () => {
  const { sides, comparison } = await asked(10);
  expect(comparison.basis).toBe('sampling');
  expect(sides[0]?.facts).toMatchObject({ hosts: undefined, pruned: 0 });
  expect(sides[0]?.notes).toEqual([expect.stringContaining('only the error of sampling is known')]);
  const pruned = await asked(2);
  expect(pruned.sides[1]?.facts).toMatchObject({ total: 11_995 * PERIOD_NS, pruned: 2700 * PERIOD_NS });
  expect(pruned.sides[1]?.notes.at(-1)).toMatch(/1 of its nodes were pruned/);
  expect(pruned.comparison.compared.totals[1]).toBe(pruned.sides[1]?.facts.total);
});
