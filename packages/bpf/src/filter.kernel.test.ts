import { mkdirSync, mkdtempSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { FilterRule } from './filter-rule.ts';
import { Sampler } from './sampler.ts';
import type { SamplerStats } from './sampler-stats.ts';
import { compileProgram } from './testing/compile.ts';
import { Load } from './testing/load.ts';
import { countOf, Recording } from './testing/recording.ts';

const TIMEOUT_MS = 90_000;
const HZ = 199;
/** Of CPU time that is surely sampled or left out: a quarter of a second. */
/** Of a count that a busy machine can spoil. */
const ROUNDS = 4;
const MANY = 50;

const directory = mkdtempSync(`${tmpdir()}/fleetflame-filter-`);
let program = '';
const load = new Load();

beforeAll(() => {
  program = compileProgram('filtered', directory);
});

afterEach(() => load.end());
afterAll(() => rmSync(directory, { recursive: true }));

/** How many children a `filtered short` has had, by their CPU time, of which it gives 20 ms to each. */
function childrenOf(pid: number): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user = 0, system = 0] = fields.split(' ').slice(13, 15).map(Number);
  return (user + system) / 2;
}

const rule = (text: string): FilterRule => {
  const [, action, kind, pattern] = /^(only|skip) (exe|comm|cgroup|pid):(.*)$/.exec(text) ?? [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the pattern says
  return { action, kind, pattern } as FilterRule;
};

/** A sampler whose collections are added up. */
class Session {
  readonly recording = new Recording();
  readonly #sampler: Sampler;

  constructor(...rules: readonly string[]) {
    this.#sampler = new Sampler({ frequencyHz: HZ, filter: rules.map(rule) });
  }

  setFilter(...rules: readonly string[]): void {
    this.#sampler.setFilter(rules.map(rule));
  }

  stats(): SamplerStats {
    return this.#sampler.stats();
  }

  countOf(pid: number): number {
    this.recording.add(this.#sampler.collect());
    return countOf(this.recording.family(pid));
  }

  async until(condition: () => boolean): Promise<void> {
    const giveUpMs = Date.now() + TIMEOUT_MS / 2;
    while (!condition()) {
      if (Date.now() > giveUpMs) throw new Error(`it did not come true: ${JSON.stringify(this.stats())}`);
      await delay(50);
    }
  }

  /** Until the kernel has left out so much more. */
  async untilExcluded(more: number): Promise<void> {
    const before = this.stats().excluded;
    await this.until(() => this.stats().excluded > before + more);
  }

  close(): SamplerStats {
    this.#sampler.close();
    this.recording.add(this.#sampler.collect());
    const stats = this.stats();
    const { idle, outside, excluded, samples, lostRingFull, lostTableFull } = stats;
    expect(idle + outside + excluded + samples + lostRingFull + lostTableFull).toBe(stats.interrupts);
    expect(countOf(this.recording.samples)).toBe(samples);
    return stats;
  }
}

it(
  'leaves a busy program out and takes it in again, while it runs',
  async () => {
    const pid = load.start(program);
    const other = load.start('/bin/sh', '-c', 'while :; do :; done');
    const session = new Session();
    try {
      await session.until(() => session.countOf(pid) > MANY);
      expect(session.stats()).toMatchObject({ excluded: 0, excludedProcesses: 0 });

      session.setFilter(`skip exe:${program}`);
      await session.until(() => session.stats().excludedProcesses === 1);
      // What the rings held by then is left out too.
      await session.untilExcluded(MANY);
      const [before, otherBefore] = [session.countOf(pid), session.countOf(other)];
      await session.untilExcluded(MANY);
      await session.until(() => session.countOf(other) > otherBefore + MANY);
      expect(session.countOf(pid)).toBe(before);

      session.setFilter();
      await session.until(() => session.countOf(pid) > before + MANY);
      expect(session.stats().excludedProcesses).toBe(0);
    } finally {
      session.close();
    }
  },
  TIMEOUT_MS,
);

it.each([
  ['exe', () => `only exe:${directory}/fil*`],
  ['exe of any directory', () => 'only exe:**/filtered'],
  ['comm', () => 'only comm:filter??'],
])(
  'takes only what an %s rule names, from the first sample on',
  async (_name, text) => {
    const session = new Session(text());
    let pid = 0;
    try {
      load.start('/bin/sh', '-c', 'while :; do :; done');
      pid = load.start(program);
      await session.until(() => session.countOf(pid) > MANY);
    } finally {
      session.close();
    }
    // What is in the middle of an exec, or ended before the sampler could look at it, is not known, and what is not
    // known is taken: such a sample has no frame of a program.
    const others = session.recording.samples.filter(
      (sample) => sample.pid !== pid && sample.frames.some(({ binary }) => binary.startsWith('/')),
    );
    expect(others).toEqual([]);
    expect(session.stats().excluded).toBeGreaterThan(MANY);
  },
  TIMEOUT_MS,
);

it(
  'leaves one process out by its number, and not its child',
  async () => {
    const first = load.start(program);
    const second = load.start(program);
    const parent = load.start(program, 'fork');
    const session = new Session(`skip pid:${first}`, `skip pid:${parent}`);
    try {
      await session.until(() => session.countOf(second) > MANY && session.countOf(parent) > MANY);
      await session.untilExcluded(MANY);
    } finally {
      session.close();
    }
    expect(session.recording.of(first)).toEqual([]);
    expect(session.recording.of(parent)).toEqual([]);
  },
  TIMEOUT_MS,
);

it(
  'leaves out forked children and processes that end at once, nearly all without a look at them',
  async () => {
    const session = new Session(`skip exe:${program}`);
    const pid = load.start(program, 'short');
    try {
      await session.until(() => session.stats().excludedProcesses > 0);
      await session.untilExcluded(MANY);
      // The kernel knows children by their parent, without an entry of their own: but for those that it meets in the
      // moment of their exit in which they have no program any more. On a busy machine a round may have no others.
      let looked = 1;
      for (let round = 1; round <= ROUNDS && looked >= 0.3; round++) {
        const [entries, ended] = [session.stats().excludedProcesses, childrenOf(pid)];
        await session.untilExcluded((1 + 3 * round) * MANY);
        const children = childrenOf(pid) - ended;
        expect(children).toBeGreaterThan(20);
        looked = (session.stats().excludedProcesses - entries) / children;
      }
      expect(looked).toBeLessThan(0.3);
    } finally {
      session.close();
    }
    // Before its exec it is the program that started it.
    const own = session.recording
      .family(pid)
      .filter(({ frames }) => frames.some(({ binary }) => binary === program));
    expect(own).toEqual([]);
  },
  TIMEOUT_MS,
);

/** Directories of cgroups that the tests made. */
const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmdirSync(path);
});

function mountOf(type: string, options: RegExp): string {
  const lines = readFileSync('/proc/mounts', 'utf8').split('\n');
  const fields = lines.map((line) => line.split(' '));
  return fields.find((f) => f[2] === type && options.test(f[3] ?? ''))?.[1] ?? '';
}

const UNIFIED = mountOf('cgroup2', /./);
const MOUNTS = [
  ['version 2', UNIFIED, 1],
  ['version 1', mountOf('cgroup', /name=systemd/), 0],
] as const;

/** Two busy programs, the first in a cgroup below one that is left out. Moves a process to a cgroup of the two. */
async function withCgroup(
  mount: string,
  work: (
    session: Session,
    pids: { readonly inside: number; readonly outside: number },
    move: (pid: number, to: 'inside' | 'outside') => void,
  ) => Promise<void>,
): Promise<void> {
  const path = `/fleetflame-test-${process.pid}`;
  const inner = `${mount}${path}/inner`;
  mkdirSync(inner, { recursive: true });
  made.push(inner, `${mount}${path}`);
  const move = (pid: number, to: 'inside' | 'outside'): void =>
    writeFileSync(`${to === 'inside' ? inner : mount}/cgroup.procs`, String(pid));
  const inside = load.start(program);
  move(inside, 'inside');
  const outside = load.start(program);
  const session = new Session(`skip cgroup:${path}`);
  try {
    await session.until(() => session.countOf(outside) > MANY);
    await session.untilExcluded(MANY);
    await work(session, { inside, outside }, move);
  } finally {
    session.close();
    load.end();
    // A cgroup can be removed when its processes are gone.
    await session.until(() => readFileSync(`${inner}/cgroup.procs`, 'utf8') === '');
  }
}

it.each(MOUNTS.filter(([, mount]) => mount !== ''))(
  'leaves out a cgroup of %s with all below it',
  async (_name, mount, wholeCgroups) => {
    await withCgroup(mount, async (session, { inside }) => {
      expect(session.countOf(inside)).toBe(0);
      expect(session.stats().excludedCgroups).toBe(wholeCgroups);
      await session.untilExcluded(MANY);
      expect(session.countOf(inside)).toBe(0);
    });
  },
  TIMEOUT_MS,
);

it.skipIf(UNIFIED === '')(
  'sees at once that a process changes its cgroup, where cgroups have ids',
  async () => {
    await withCgroup(UNIFIED, async (session, { inside, outside }, move) => {
      move(outside, 'inside');
      move(inside, 'outside');
      await session.until(() => session.countOf(inside) > MANY);
      const before = session.countOf(outside);
      await session.untilExcluded(MANY);
      expect(session.countOf(outside)).toBe(before);
    });
  },
  TIMEOUT_MS,
);

it.each([
  ['exe', '', 'exe: has no pattern behind it'],
  ['exe', 'usr/bin/node', 'exe:usr/bin/node is no path: begin it with "/" or "**/"'],
  ['cgroup', 'system.slice', 'cgroup:system.slice is no path of a cgroup'],
  ['pid', '0x12', 'pid:0x12 is not the number of a process'],
] as const)('refuses the rule %s:%s with a sentence', (kind, pattern, message) => {
  const filter = [{ action: 'skip', kind, pattern }] as const;
  expect(() => new Sampler({ frequencyHz: 19, filter })).toThrow(
    expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(message) as string }),
  );
});
