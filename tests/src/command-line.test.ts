import { existsSync, globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product, run, runCli, until } from './support/product.ts';
import { ROOT } from './support/server-process.ts';
import { Workload, Workshop } from './support/workloads.ts';

describe('the command line against a running product', () => {
  let workshop: Workshop;
  let product: Product;
  let load: Workload;

  beforeAll(async () => {
    workshop = await Workshop.open();
    product = await Product.start({ args: ['--window', '1s', '--frequency', '99'] });
    load = new Workload('cli-load', await workshop.c('shares'), ['120']);
    await until(
      'the load, and its names',
      () => top('{service_name="cli-load"}'),
      ({ total, functions }) => total > 2e9 && functions.some((f) => f.name === 'parse_request'),
      120_000,
    );
  });

  afterAll(async () => {
    await load?.stop();
    await product?.stop();
    await product?.remove();
    await workshop?.close();
  });

  it('top --json has integers in the unit of the profile type, and coverage', async () => {
    const answer = await top('{service_name="cli-load"}');
    expect(answer.unit).toBe('nanoseconds');
    const parse = answer.functions.find((f) => f.name === 'parse_request');
    expect(parse?.binary).toBe('shares');
    for (const f of answer.functions) {
      expect(Number.isInteger(f.self)).toBe(true);
      expect(f.total).toBeGreaterThanOrEqual(f.self);
    }
    const self = answer.functions.reduce((sum, f) => sum + f.self, 0) + answer.omitted.self;
    expect(self).toBe(answer.total);
    expect(answer.coverage.blocksAnswered).toBe(answer.coverage.blocksExpected);
  });

  it('top is readable: cores, percent, function', async () => {
    const { stdout, code } = await product.cli('top', '--selector', '{service_name="cli-load"}');
    expect(code).toBe(0);
    expect(stdout).toMatch(/total \S+ cores/);
    expect(stdout).toMatch(/cores +\d+\.\d % +native +shares +parse_request/);
  });

  it('flame --format folded holds known stacks', async () => {
    const { stdout } = await product.cli('flame', '--selector', '{service_name="cli-load"}');
    expect(stdout).toMatch(/main;serve;parse_request \d+\n/);
  });

  it('flame --annotate marks kernel frames as perf does, and only them here', async () => {
    const { stdout } = await product.cli('flame', '--annotate');
    expect(stdout).toMatch(/;do_syscall_64_\[k\]/);
    expect(stdout).toMatch(/main;serve;parse_request \d+\n/);
    const wrong = await product.cli('flame', '--annotate', '--format', 'json');
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('--annotate is for folded')]);
  });

  it('flame --format json is a tree whose children never exceed their parent', async () => {
    const { stdout } = await product.cli('flame', '--format', 'json', '--by', 'service_name');
    interface Node {
      readonly name: string;
      readonly total: number;
      readonly self: number;
      readonly children: readonly Node[];
    }
    // JSON that our own CLI printed.
    const { total, root } = JSON.parse(stdout) as { total: number; root: Node };
    expect(root.total).toBe(total);
    expect(root.children.map((child) => child.name)).toContain('cli-load');
    const walk = (node: Node): void => {
      const below = node.children.reduce((sum, child) => sum + child.total, node.self);
      expect(below).toBeLessThanOrEqual(node.total);
      for (const child of node.children) walk(child);
    };
    walk(root);
  });

  it('series --json sums to the same total as top over the same range', async () => {
    const to = Math.floor(Date.now() / 1000);
    await until(
      'all of the range',
      () => top('{service_name="cli-load"}'),
      (answer) => answer.coverage.newestSampleMs > to * 1000 + 3000,
    );
    const range = ['--from', String(to - 20), '--to', String(to), '--json'];
    // JSON that our own CLI printed.
    const series = JSON.parse(
      (await product.cli('series', ...range, '--step', '1s', '--by', 'service_name')).stdout,
    ) as {
      total: number;
      groups: readonly { values: readonly number[]; total: number }[];
    };
    const whole = JSON.parse((await product.cli('top', ...range)).stdout) as Answer;
    expect(series.total).toBe(whole.total);
    for (const group of series.groups) expect(group.values.reduce((a, b) => a + b, 0)).toBe(group.total);
  });

  it.each([
    [['top', '--last', 'soon'], /--last: "soon" is not a duration/],
    [['top', '--selector', '{service_name=}'], /\^/],
    [['top', '--type', 'bananas'], /bananas/],
    [['top', '--to', 'now'], /--to needs --from/],
    [['top', '--from', 'now', '--to', '2020-01-01'], /is not before/],
    [['series', '--step', '0s'], /--step/],
    [['push', '/nonexistent/file.pb.gz'], /cannot read/],
    [['push', 'package.json', '--label', 'oops'], /name=value/],
    [['flame', '--format', 'svg'], /folded, pprof, speedscope, cpuprofile, json/],
    [['flame', '--limit', '5'], /unknown option/],
    [['frobnicate'], /unknown command/],
  ])('%j fails with a sentence', async (args, reason) => {
    const { code, stderr } = await product.cli(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(reason);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('a server that does not answer is named, with what to do', async () => {
    const { code, stderr } = await runCli('top', '--server', 'http://127.0.0.1:9');
    expect(code).toBe(1);
    expect(stderr).toMatch(/no answer from http:\/\/127\.0\.0\.1:9.*fleetflame up/);
  });

  it('metrics, health and status tell about the product itself', async () => {
    expect((await product.get('/healthz')).text).toBe('ok\n');
    expect((await product.get('/readyz')).status).toBe(200);
    const metrics = (await product.get('/metrics')).text;
    for (const name of [
      'fleetflame_agent_',
      'fleetflame_ingest_',
      'fleetflame_store_',
      'fleetflame_query_',
    ]) {
      expect(metrics).toContain(name);
    }
    const names = metrics
      .split('\n')
      .filter((line) => line.startsWith('# TYPE '))
      .map((line) => line.split(' ')[2]);
    expect(new Set(names).size).toBe(names.length);
    // Our own /status page.
    const status = JSON.parse((await product.get('/status')).text) as { agent: { state: string } };
    expect(status.agent.state).toBe('running');
  });

  it.each([0, 500])('Ctrl-C %i ms after the start ends everything', async (delayMs) => {
    const other = await Product.start();
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    expect(await other.stop()).toBe(0);
    expect(other.log).toMatch(/Stopped\./);
    expect(other.log).not.toMatch(/"level":"error"/);
    await other.remove();
  });

  it('Ctrl-C flushes and ends cleanly', async () => {
    const before = Date.now();
    const other = await Product.start({ args: ['--window', '30s', '--frequency', '99'] });
    await until(
      'collected samples',
      () => other.agentStats(),
      (stats) => (stats?.collections ?? 0) > 5,
    );
    expect(await other.stop()).toBe(0);
    const again = await Product.start({ dataDir: other.dataDir, args: ['--no-agent'] });
    const { stdout } = await again.cli('top', '--from', String(Math.floor(before / 1000)), '--json');
    await again.stop();
    await again.remove();
    expect((JSON.parse(stdout) as Answer).total).toBeGreaterThan(0);
  });

  interface Answer {
    readonly unit: string;
    readonly total: number;
    readonly functions: readonly { name: string; binary: string; self: number; total: number }[];
    readonly omitted: { readonly self: number };
    readonly coverage: {
      readonly blocksExpected: number;
      readonly blocksAnswered: number;
      readonly newestSampleMs: number;
    };
  }

  async function top(selector: string): Promise<Answer> {
    const { stdout, stderr } = await product.cli('top', '--selector', selector, '--limit', '1000', '--json');
    expect(stderr).toBe('');
    // JSON that our own CLI printed.
    return JSON.parse(stdout) as Answer;
  }
});

describe('without capabilities', () => {
  it('starts everything but the agent and says what is missing', async () => {
    const product = await Product.start({ withoutCapabilities: true, args: ['--log-level', 'error'] });
    const status = await until(
      'the agent to give up',
      async () =>
        JSON.parse((await product.get('/status')).text) as { agent: { state: string; reason?: string } },
      (answer) => answer.agent.state === 'unavailable',
    );
    await product.stop();
    await product.remove();
    expect(status.agent.reason).toMatch(/root|CAP_BPF|CAP_PERFMON/);
  });
});

describe('help', () => {
  it.each(['up', 'agent', 'doctor', 'top', 'flame', 'series', 'diff', 'push', 'symbols'])(
    '%s --help says how to use it',
    async (verb) => {
      const { code, stdout } = await runCli(verb, '--help');
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: fleetflame ${verb}`);
    },
  );

  it('the README shows only commands that exist, with options that they have', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const commands = [...readme.matchAll(/^\s*\.\/fleetflame (\w+)([^#\n]*)/gm)];
    expect(commands.length).toBeGreaterThan(5);
    const help = new Map<string, string>();
    for (const [line, verb = '', rest = ''] of commands) {
      // The launcher's own.
      if (verb === 'test' || verb === 'bench') continue;
      const stdout = help.get(verb) ?? (await runCli(verb, '--help')).stdout;
      help.set(verb, stdout);
      expect(stdout, line).toContain(`Usage: fleetflame ${verb}`);
      for (const option of rest.match(/--[a-z-]+/g) ?? []) expect(stdout, line).toContain(option);
    }
  });

  it('the benchmarks that documents name are there, and the launcher lists them', async () => {
    const { stdout, code } = await run(join(ROOT, 'fleetflame'), ['bench', '--help']);
    expect(code).toBe(0);
    const documents = globSync(['*.md', 'docs/**/*.md', 'bench/*.md', 'bench/*/*.md'], { cwd: ROOT });
    const named = new Set<string>();
    for (const document of documents) {
      const text = await readFile(join(ROOT, document), 'utf8');
      expect(/\bnode (?:bench|tests)\/\S+\.ts/.exec(text)?.[0], document).toBeUndefined();
      for (const [, name = ''] of text.matchAll(/\.\/fleetflame bench ([a-z][a-z/-]*)/g)) named.add(name);
    }
    expect(named.size).toBeGreaterThan(10);
    for (const name of named) {
      const file = name.includes('/') ? `${name}.ts` : `${name}/run.ts`;
      expect(existsSync(join(ROOT, 'bench', file)), name).toBe(true);
      expect(stdout).toContain(name.split('/')[0]);
    }
    const wrong = await run(join(ROOT, 'fleetflame'), ['bench', 'nothing-like-it']);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no benchmark') });
  });

  it('doctor --json lists what this host can do', async () => {
    const { stdout } = await runCli('doctor', '--json');
    // JSON that our own CLI printed.
    const report = JSON.parse(stdout) as {
      capabilities: readonly { name: string; status: string; detail: string }[];
    };
    expect(report.capabilities.length).toBeGreaterThan(5);
    for (const capability of report.capabilities) {
      expect(['ok', 'missing', 'degraded']).toContain(capability.status);
      expect(capability.detail).not.toBe('');
    }
  });

  it('the launcher hands over and passes exit codes on', async () => {
    const good = await run(join(ROOT, 'fleetflame'), ['top', '--help']);
    expect(good.code).toBe(0);
    const bad = await run(join(ROOT, 'fleetflame'), ['top', '--last', 'soon']);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toMatch(/is not a duration/);
  });
});
