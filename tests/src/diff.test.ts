import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockBuilder, encodePprof } from '@fleetflame/profile';
import { scaled } from '@fleetflame/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product, run, type Output } from './support/product.ts';
import { MAIN, ROOT } from './support/server-process.ts';

interface DiffJson {
  readonly basis: string;
  readonly paired: boolean;
  readonly joinedNames: number;
  readonly warnings: readonly string[];
  readonly base: { readonly total: number; readonly hosts?: number };
  readonly new: { readonly total: number; readonly hosts?: number };
  readonly functions: readonly {
    readonly name: string;
    readonly presence: string;
    readonly self: number;
    readonly baseSelf: number;
    readonly total: number;
    readonly baseTotal: number;
    readonly selfTest?: { readonly significant: boolean; readonly p: number };
    readonly totalTest?: { readonly significant: boolean };
  }[];
  readonly gate?: { readonly exitCode: number };
}

let directory: string;
const at = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetflame-diff-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function file(name: string, text: string | Uint8Array): Promise<string> {
  await writeFile(at(name), text);
  return at(name);
}

async function diff(...args: readonly string[]): Promise<Output> {
  return await run(process.execPath, [MAIN, 'diff', ...args]);
}

/** The exit code of what prints nothing but an error. */
async function failure(args: readonly string[]): Promise<number | null> {
  const output = await diff(...args);
  expect(output.stdout, args.join(' ')).toBe('');
  expect(output.stderr, args.join(' ')).toMatch(/^error: /);
  return output.code;
}

/** A document's command, with what it prints in the order in which it does. */
async function shell(command: string, server: string): Promise<Output> {
  return await run('sh', ['-c', `cd '${directory}' && { ${command}\n} 2>&1`], { FLEETFLAME_SERVER: server });
}

function jsonOf(output: Output): DiffJson {
  expect(output.stderr).toBe('');
  // JSON that our own CLI printed.
  return JSON.parse(output.stdout) as DiffJson;
}

const PERIOD_NS = 10_000_000;
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const TIME_MS = 1_700_000_000_000;

/** A pprof file of CPU time, a text of stacks in samples per host; 100 Hz. */
function pprofOf(hosts: Readonly<Record<string, string>>): Uint8Array {
  const builder = new BlockBuilder();
  for (const [host, text] of Object.entries(hosts)) {
    const series = builder.series(CPU, PERIOD_NS, host === '' ? {} : { host_name: host });
    for (const line of text.split('\n')) {
      const [, path = '', samples = '0'] = /^(.*) (\d+)$/.exec(line) ?? [];
      let stack = 0;
      for (const name of path.split(';')) {
        const fn = builder.function(builder.string(name), 0, 0, 0);
        stack = builder.stack(stack, builder.location(0, 0, 0, [fn, 0]));
      }
      builder.add(series, stack, TIME_MS, Number(samples) * PERIOD_NS);
    }
  }
  return encodePprof(builder.build(), { profileType: CPU, fromMs: TIME_MS, toMs: TIME_MS + 60_000 });
}

describe('diff of files', () => {
  it('a function that doubled fails the gate with 3, what is equal passes, also with another load per total', async () => {
    const base = await file('base.folded', 'main;parse 100\nmain;write 900\n');
    const twice = await file('twice.folded', 'main;parse 200\nmain;write 900\n');
    const double = await file('double.folded', 'main;parse 200\nmain;write 1800\n');
    const failed = await diff(base, twice, '--fail-if', 'self > 10 %', '--json');
    expect(failed.code).toBe(3);
    const { functions, basis, gate } = jsonOf(failed);
    expect(basis).toBe('sampling');
    expect(gate?.exitCode).toBe(3);
    expect(functions[0]).toMatchObject({
      name: 'parse',
      self: 200,
      baseSelf: 100,
      total: 200,
      baseTotal: 100,
    });
    const all = await diff(
      await file('many1.folded', thirtyFunctions(100)),
      await file('many2.folded', thirtyFunctions(200)),
      '--fail-if',
      'self > 10 %',
    );
    expect(all.stdout).toContain('gate: failed, 30 functions');
    expect(all.stdout).toContain('self > 10 %: and 10 more functions (--json has all)');
    expect((await diff(base, base, '--fail-if', 'self > 10 %')).code).toBe(0);
    expect((await diff(twice, base, '--fail-if', 'self > 10 %')).code).toBe(0);
    expect((await diff(base, double, '--per', 'total', '--fail-if', 'self > 10 %')).code).toBe(0);
    expect((await diff(base, double, '--fail-if', 'self > 10 %')).code).toBe(3);
  });

  it('formats mix as long as their units do; different units are refused with both named', async () => {
    const folded = await file('samples.folded', 'main;parse 500\n');
    const pprof = await file('cpu.pb.gz', pprofOf({ '': 'main;parse 500' }));
    const refused = await diff(folded, pprof);
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toMatch(/samples\.folded is .* in count; .*cpu\.pb\.gz is .* in nanoseconds/);
    const cores = await diff(pprof, pprof, '--fail-if', 'self > 0.01 cores');
    expect([cores.code, cores.stderr]).toEqual([0, '']);
    // 500 samples of 10 ms in a minute.
    expect(cores.stdout).toMatch(/cpu\.pb\.gz: 0\.0833 cores \(500 samples, 1m/);
  });

  it('values that are multiples of a period are no samples, also where the format has no place for it', async () => {
    const base = await file('ns1.folded', `main;parse ${3 * PERIOD_NS}\nmain;write ${8 * PERIOD_NS}\n`);
    const next = await file('ns2.folded', `main;parse ${6 * PERIOD_NS}\nmain;write ${7 * PERIOD_NS}\n`);
    const { code, stderr, stdout } = await diff(base, next, '--fail-if', 'self > 10 %');
    // 24 samples on both sides together.
    expect(code).toBe(4);
    expect(stderr).toContain(`all values are multiples of ${PERIOD_NS}`);
    expect(stdout).toContain('there are 24 samples on both sides together');
    expect((await diff(base, next, '--fail-if', 'self > 10 %', '--any')).code).toBe(3);
    expect((await diff(base, next, '--fail-if', 'self > 10 %', '--on-missing', 'pass')).code).toBe(0);
  });

  it('1: could not ask, 2: wrong usage; nothing is read before the question is right', async () => {
    const good = await file('good.folded', 'main 100\n');
    const asked: Promise<number | null>[] = [];
    const misused: Promise<number | null>[] = [];
    for (const args of [
      [good, at('not-there')],
      [good, good, '--fail-if', 'selfish > 1 %'],
      [good, good, '--fail-if', 'self > 1 cores'],
      [at('not-there'), 'cpu{a=}', '--server', 'http://127.0.0.1:9'],
      ['cpu{} | focs "x"', good, '--server', 'http://127.0.0.1:9'],
      ['cpu{}', good, '--server', 'http://127.0.0.1:9'],
    ]) {
      asked.push(failure(args));
    }
    for (const args of [
      [good],
      [good, good, '--per', 'host'],
      [good, good, '--json', '--markdown'],
      [good, good, '--max-nodes', '5'],
      ['-', '-'],
    ]) {
      misused.push(failure(args));
    }
    expect(new Set(await Promise.all(asked))).toEqual(new Set([1]));
    expect(new Set(await Promise.all(misused))).toEqual(new Set([2]));
  });

  it('names do nothing to terminals and to Markdown, and files have them as they are', async () => {
    const evil = 'a\u001b[2J|`x`\u202e@team #1 <b>';
    const base = await file('evil.folded', `main;${evil} 5000\nmain 50\n`);
    const next = await file('evil2.folded', `main;${evil} 9000\nmain 50\n`);
    const table = await diff(base, next, '--fail-if', 'self > 10 %');
    expect(table.code).toBe(3);
    expect(table.stdout).toContain('a\\x1b[2J|`x`\\u202e@team #1 <b>');
    const markdown = await diff(base, next, '--markdown', '--fail-if', 'self > 10 %');
    expect(markdown.stdout).toContain('| `` a\\x1b[2J\\|`x`\\u202e@team #1 <b> `` |');
    for (const { stdout } of [table, markdown])
      for (const character of ['\u001b', '\u202e']) expect(stdout).not.toContain(character);
    await diff(base, next, '--format', 'folded', '-o', at('out.folded'));
    expect(await readFile(at('out.folded'), 'utf8')).toBe(`main 50 50\nmain;${evil} 5000 9000\n`);
  });

  it('the tree of --json is exact, and says what was pruned by the larger of both', async () => {
    const base = await file('tree1.folded', 'a;gone 50\na;kept 10\nb 2\n');
    const next = await file('tree2.folded', 'a;kept 60\nb 3\nc 1\n');
    const whole = await diff(base, next, '--json', '--max-nodes', '100');
    // JSON that our own CLI printed.
    const { tree, pruned } = JSON.parse(whole.stdout) as { tree: { name: string }[]; pruned: object };
    expect(tree[0]).toEqual({ parent: -1, name: 'all', self: 0, baseSelf: 0, total: 64, baseTotal: 62 });
    expect([tree.length, pruned]).toEqual([6, { nodes: 0, self: 0, baseSelf: 0 }]);
    const few = JSON.parse((await diff(base, next, '--json', '--max-nodes', '4')).stdout) as typeof JSON & {
      tree: { name: string }[];
      pruned: object;
    };
    expect(few.tree.map(({ name }) => name)).toEqual(['all', 'a', 'gone', 'kept']);
    expect(few.pruned).toEqual({ nodes: 2, self: 4, baseSelf: 2 });
  });

  it('a file that has its samples by host is measured by hosts', async () => {
    const output = await diff(
      await file('h1.pb.gz', parsing(500)),
      await file('h2.pb.gz', parsing(900)),
      '--json',
    );
    expect(jsonOf(output)).toMatchObject({
      basis: 'hosts',
      paired: true,
      base: { hosts: 4 },
      new: { hosts: 4 },
    });
  });
});

describe('diff of a server', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ args: ['--no-agent'] });
  });

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
  });

  async function push(version: string, bytes: Uint8Array): Promise<void> {
    const profile = await file(`${version}.pb.gz`, bytes);
    const labels = ['--label', 'service_name=api', '--label', `service_version=${version}`];
    const pushed = await product.cli('push', profile, ...labels, '--time', 'now');
    expect(pushed.code, pushed.stderr).toBe(0);
  }

  async function diffVersions(base: string, next: string, ...args: readonly string[]): Promise<Output> {
    return await product.cli('diff', scopeOf(base), scopeOf(next), '--last', '1h', ...args);
  }

  it('sums are those of the files, to the last unit, and hosts are the measure', async () => {
    const [old, young] = [pprofOf(fourHosts('a', 'main;old 70')), pprofOf(fourHosts('b', 'main;young 80'))];
    await push('exact-1', old);
    await push('exact-2', young);
    const asked = await diffVersions('exact-1', 'exact-2', '--json');
    const answer = jsonOf(asked);
    const files = jsonOf(await diff(at('exact-1.pb.gz'), at('exact-2.pb.gz'), '--json'));
    expect(sumsOf(answer)).toEqual(sumsOf(files));
    expect(answer).toMatchObject({
      basis: 'hosts',
      paired: false,
      joinedNames: 3,
      base: { hosts: 4 },
      new: { hosts: 4 },
    });
    expect(answer.functions.find(({ name }) => name === 'young')).toMatchObject({
      presence: 'new',
      baseTotal: 0,
    });
    const gate = await diffVersions(
      'exact-1',
      'exact-2',
      '--per',
      'total',
      '--fail-if',
      'new > 5 %',
      '--fail-if',
      'gone > 50 %',
    );
    expect(gate.code, gate.stdout).toBe(3);
    expect(gate.stdout).toContain('new > 5 %: young');
  });

  it('a scope against a file, an offset, and nothing there', async () => {
    await push('mixed', pprofOf({ h: 'main;parse 500' }));
    const mixed = await product.cli(
      'diff',
      'cpu{service_version="mixed"}',
      at('mixed.pb.gz'),
      '--last',
      '1h',
      '--per',
      'total',
      '--json',
    );
    const { basis, functions } = jsonOf(mixed);
    expect(basis).toBe('sampling');
    expect(functions.every((fn) => fn.self === fn.baseSelf && fn.total === fn.baseTotal)).toBe(true);
    const before = await product.cli(
      'diff',
      'cpu{service_version="mixed"} offset 1d',
      'cpu{service_version="mixed"}',
      '--last',
      '1h',
      '--fail-if',
      'self > 10 %',
    );
    expect(before.code, before.stderr).toBe(4);
    expect(before.stdout).toContain('BASE has no samples');
  });

  it('fleets of which nothing changed report nothing, and 30 % more of a function is found', async () => {
    const runs = scaled(2, 100);
    let reported = 0;
    for (let seed = 1; seed <= runs; seed++) {
      await push(`base-${seed}`, pprofOf(fleet(seed, 'a', 1)));
      await push(`same-${seed}`, pprofOf(fleet(seed + 1000, 'b', 1)));
      await push(`more-${seed}`, pprofOf(fleet(seed + 2000, 'c', 1.3)));
      const same = jsonOf(await diffVersions(`base-${seed}`, `same-${seed}`, '--per', 'total', '--json'));
      expect(same).toMatchObject({ basis: 'hosts', base: { hosts: 32 }, new: { hosts: 32 } });
      const marked = same.functions.filter(
        (fn) => fn.selfTest?.significant === true || fn.totalTest?.significant === true,
      );
      if (marked.length > 0) reported++;
      const more = await diffVersions(
        `base-${seed}`,
        `more-${seed}`,
        '--per',
        'total',
        '--fail-if',
        'self > 10 %',
      );
      expect(more.code, more.stdout).toBe(3);
      expect(more.stdout).toContain('self > 10 %: f0 ');
    }
    expect(reported).toBeLessThanOrEqual(Math.ceil(runs * 0.09));
  });

  it('docs/diff.md shows what the commands print', async () => {
    await writeFile(at('fleetflame'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
    await chmod(at('fleetflame'), 0o755);
    const text = await readFile(join(ROOT, 'docs/diff.md'), 'utf8');
    const printed: string[] = [];
    const documented: string[] = [];
    for (const [, info = '', body = ''] of text.matchAll(/^```(\w+(?: \S+)?)\n(.*?)^```$/gms)) {
      const [language, name] = info.split(' ');
      if (language === 'text' && name !== undefined) await file(name, body);
      if (language === 'sh') {
        printed.push(`${body}exit ${(await shell(body, product.url)).code}`);
        documented.push(`${body}exit 0`);
      }
      if (language !== 'console') continue;
      for (const [, command = '', shown = ''] of body.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
        printed.push(`$ ${command}\n${(await shell(command, product.url)).stdout}`);
        documented.push(`$ ${command}\n${shown}`);
      }
    }
    expect(printed).toEqual(documented);
    expect(printed.length).toBeGreaterThan(8);
  });
});

function scopeOf(version: string): string {
  return `cpu{service_version="${version}"}`;
}

/** All numbers of an answer, in an order that does not depend on how it was asked. */
function sumsOf({ functions }: DiffJson): unknown[] {
  return functions
    .map(({ name, presence, self, baseSelf, total, baseTotal }) => [
      name,
      presence,
      self,
      baseSelf,
      total,
      baseTotal,
    ])
    .sort((a, b) => (String(a) < String(b) ? -1 : 1));
}

function fourHosts(prefix: string, extra: string): Record<string, string> {
  return Object.fromEntries(
    [0, 1, 2, 3].map((i) => [
      `${prefix}${i}`,
      `main;parse ${100 + i}\nmain;write.isra.${i} ${900 + i}\n${extra}`,
    ]),
  );
}

/** The same four hosts, with so many samples of one function. */
function parsing(samples: number): Uint8Array {
  return pprofOf(
    Object.fromEntries(
      [1, 2, 3, 4].map((host) => [`h${host}`, `main;parse ${samples + host}\nmain;write 900`]),
    ),
  );
}

describe('diff of a server that is set to answer less', () => {
  let product: Product;

  beforeAll(async () => {
    const config = await file('less.yaml', 'limits:\n  query:\n    nodes: 1000\n');
    product = await Product.start({ args: ['--no-agent', '--config', config] });
  });

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
  });

  it('is asked for less, and says that only sampling is known', async () => {
    const profile = await file('less.pb.gz', pprofOf(fourHosts('a', 'main;x 70')));
    const pushed = await product.cli('push', profile, '--label', 'service_name=less', '--time', 'now');
    expect(pushed.code, pushed.stderr).toBe(0);
    const scope = 'cpu{service_name="less"}';
    const asked = await product.cli('diff', scope, scope, '--last', '1h', '--fail-if', 'self > 1 %');
    expect([asked.code, asked.stdout]).toEqual([0, expect.stringContaining('basis: sampling')]);
    expect(asked.stderr).toContain(
      'by host it is too much for one answer, so only the error of sampling is known',
    );
  });
});

/** As folded stacks. */
function thirtyFunctions(samples: number): string {
  return Array.from({ length: 30 }, (_, i) => `main;f${i} ${samples}`).join('\n');
}

/** Stacks of 32 hosts with loads of their own; counts by a normal approximation of Poisson's. */
function fleet(seed: number, prefix: string, factor: number): Record<string, string> {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const hosts: Record<string, string> = {};
  for (let host = 0; host < 32; host++) {
    const load = 0.5 + uniform();
    const lines: string[] = [];
    for (let fn = 0; fn < 40; fn++) {
      const mean =
        load * (fn === 0 ? (5000 / 32) * factor : 2000 / (fn + 20)) * Math.max(0.5, 1 + 0.1 * normal());
      lines.push(`main;work${fn % 5};f${fn} ${Math.max(1, Math.round(mean + Math.sqrt(mean) * normal()))}`);
    }
    hosts[`${prefix}${host}`] = lines.join('\n');
  }
  return hosts;
}
