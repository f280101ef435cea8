import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { STACK_COMPLETE } from './collection.ts';
import type { SamplerStats } from './sampler-stats.ts';
import { compileProgram } from './testing/compile.ts';
import { Load, sampleUntil } from './testing/load.ts';
import { isPending } from './testing/stack-ends.ts';
import { countOf, type RecordedSample } from './testing/recording.ts';

const TIMEOUT_MS = 90_000;
const NESTED_AGENT = fileURLToPath(new URL('testing/programs/nested-agent.ts', import.meta.url));
const NAMESPACE = ['--pid', '--fork', '--mount-proc'];

interface Seen {
  readonly seen: readonly {
    readonly samples: number;
    /** In the program itself, not between fork and exec. */
    readonly settled: number;
    /** With tables in place. */
    readonly ready: number;
    readonly complete: number;
  }[];
  readonly comms: readonly string[];
  readonly events: readonly { readonly pid: number; readonly kind: string; readonly executable: string }[];
  readonly stats: SamplerStats;
}

let directory = '';
let program = '';
const load = new Load();

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-pidns-`);
  program = compileProgram('shares', directory);
});

afterEach(() => load.end());
afterAll(() => rmSync(directory, { recursive: true }));

/** The same program under a name of its own. */
function named(name: string): string {
  const path = `${directory}/${name}`;
  copyFileSync(program, path);
  return path;
}

function pidOf(path: string): number {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const found = readdirSync('/proc').find((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name;
    } catch {
      return false;
    }
  });
  return Number(found ?? 0);
}

/** Copies have one build id, so they are one binary, under the name of any of them. */
const inProgram = (samples: readonly RecordedSample[]): RecordedSample[] =>
  samples.filter(
    (sample) => !isPending(sample) && sample.frames.some(({ binary }) => binary.startsWith(`${directory}/`)),
  );

it(
  'an agent of the host sees processes of nested namespaces by the ids of the host',
  async () => {
    const nested = named('ff-nested');
    const deeper = named('ff-deeper');
    load.start('unshare', ...NAMESPACE, nested);
    load.start('unshare', ...NAMESPACE, 'unshare', ...NAMESPACE, deeper);
    const { recording, stats } = await sampleUntil(
      { frequencyHz: 99 },
      (soFar) => [nested, deeper].every((path) => countOf(inProgram(soFar.of(pidOf(path)))) > 40),
      TIMEOUT_MS,
    );
    for (const path of [nested, deeper]) {
      const status = readFileSync(`/proc/${pidOf(path)}/status`, 'utf8');
      // It is process 1 where it lives.
      expect(/^NSpid:.*\t1$/m.test(status), status).toBe(true);
      const samples = inProgram(recording.of(pidOf(path)));
      const complete = samples.filter(({ flags }) => (flags & STACK_COMPLETE) !== 0);
      expect(countOf(complete)).toBeGreaterThan(0.9 * countOf(samples));
    }
    expect(stats.outside).toBe(0);
  },
  TIMEOUT_MS,
);

it(
  'an agent in a namespace sees its own and deeper ones by its ids, and counts the rest as outside',
  async () => {
    const inside = named('ff-inside');
    const deeper = named('ff-below');
    load.start(named('ff-outside'));
    // Its ids are those of the agent's namespace, in a namespace beside it.
    load.start('unshare', ...NAMESPACE, named('ff-beside'));
    const { stdout } = await promisify(execFile)(
      'unshare',
      [...NAMESPACE, process.execPath, NESTED_AGENT, inside, deeper],
      { maxBuffer: 64 << 20 },
    );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- printed by nested-agent.ts
    const { seen, comms, events, stats } = JSON.parse(stdout) as Seen;
    for (const { samples, settled, ready, complete } of seen) {
      expect(samples).toBeGreaterThan(40);
      // All but those between fork and exec.
      expect(settled).toBeGreaterThan(0.9 * samples);
      expect(complete).toBeGreaterThan(0.9 * ready);
    }
    for (const path of [inside, deeper]) {
      const execs = events.filter(({ kind, executable }) => kind === 'exec' && executable === path);
      expect(execs).toHaveLength(1);
      expect(execs[0]?.pid).toBeLessThan(1000);
    }
    expect(comms).not.toContain('ff-outside');
    expect(comms).not.toContain('ff-beside');
    expect(stats.outside).toBeGreaterThan(0);
    expect(stats.idle + stats.outside + stats.samples + stats.lostRingFull + stats.lostTableFull).toBe(
      stats.interrupts,
    );
  },
  TIMEOUT_MS,
);

it('an agent that sees the /proc of another namespace says so and does not start', () => {
  const script = `
    const { Sampler } = await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)});
    try { new Sampler({ frequencyHz: 19 }); } catch (error) { process.stdout.write(error.code + ': ' + error.message); }`;
  const output = execFileSync(
    'unshare',
    ['--pid', '--fork', process.execPath, '--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  expect(output).toMatch(/^unsupported: \/proc shows another PID namespace .*mount -t proc proc \/proc/);
});
