/** `up` started by root: who has which rights, and what becomes of the others when one is killed. */
import { execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_CAPABILITIES } from '@fleetflame/bpf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { childOf, isRunning, statusOf } from './support/process-tree.ts';
import { Product, run, until } from './support/product.ts';
import { endProcess, MAIN, ROOT, startServer } from './support/server-process.ts';
import { Workload, Workshop } from './support/workloads.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SIX = Object.values(AGENT_CAPABILITIES).reduce((set, { bit }) => set | (1n << BigInt(bit)), 0n);
const SAMPLING = ['--window', '1s', '--frequency', '99'];
/** Nobody has it by name. */
const NAMELESS = 53_611;
/** A parent without server code: far below any server. */
const MOST_PARENT_KB = 100_000;

describe('up as root, with data where root alone may look', () => {
  let closed: string;
  let workshop: Workshop;
  let product: Product;
  let load: Workload;

  const server = (): number => childOf(product.pid, 'up-server') ?? 0;
  const agent = (): number => childOf(product.pid, 'agent') ?? 0;
  const loadSince = async (fromMs: number): Promise<number> => {
    const scope = { selector: '{service_name="rights-load"}', profileType: CPU };
    const toMs = BigInt(Date.now() + 1000);
    const answer = await product.query
      .top({ scope: { ...scope, fromMs: BigInt(fromMs), toMs }, limit: 1 })
      .catch(() => undefined);
    return Number(answer?.total ?? 0);
  };
  const sampledSince = async (fromMs: number): Promise<number> =>
    await until(
      'samples of the load',
      () => loadSince(fromMs),
      (total) => total > 0,
      120_000,
    );
  const metric = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await product.get('/metrics')).text)?.[1]);

  beforeAll(async () => {
    workshop = await Workshop.open();
    closed = await mkdtemp(join(tmpdir(), 'fleetflame-closed-'));
    await chmod(closed, 0o700);
    load = new Workload('rights-load', await workshop.c('shares'), ['1200']);
    product = await Product.start({ dataDir: join(closed, 'data'), args: SAMPLING });
    await sampledSince(0);
  });

  afterAll(async () => {
    await load?.stop();
    await product?.stop();
    await rm(closed, { recursive: true, force: true });
    await workshop?.close();
  });

  it('has a server of a user without any capability, who owns the data', async () => {
    const uids = statusOf(server(), 'Uid').split('\t').map(Number);
    const { uid } = await stat(product.dataDir);
    expect(uid).not.toBe(0);
    expect(uids).toEqual([uid, uid, uid, uid]);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(BigInt(`0x${statusOf(server(), set)}`), set).toBe(0n);
    expect(statusOf(server(), 'NoNewPrivs')).toBe('1');
    expect((await stat(join(product.dataDir, 'catalog.db'))).uid).toBe(uid);
    expect((await stat(closed)).uid).toBe(0);
    expect(product.log).toMatch(/The server runs as fleetflame \(uid \d+\) without any capability/);
  });

  it('has an agent with exactly six capabilities, and a spool that the server cannot touch', async () => {
    for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
      expect(BigInt(`0x${statusOf(agent(), set)}`), set).toBe(SIX);
    for (const set of ['CapInh', 'CapAmb']) expect(BigInt(`0x${statusOf(agent(), set)}`), set).toBe(0n);
    expect(statusOf(agent(), 'NoNewPrivs')).toBe('1');
    const home = await stat(join(product.dataDir, 'agent'));
    expect([home.uid, home.mode & 0o777]).toEqual([0, 0o700]);
    expect((await stat(join(product.dataDir, 'agent', 'spool'))).uid).toBe(0);
  });

  it('is a small parent that has nothing of the server in it', async () => {
    const maps = await readFile(`/proc/${product.pid}/maps`, 'utf8');
    expect(maps).not.toMatch(/fleetflame_bpf\.node|catalog\.db/);
    expect(parseInt(statusOf(product.pid, 'VmRSS'), 10)).toBeLessThan(MOST_PARENT_KB);
  });

  it('tells the truth about the agent, and doctor names its capabilities', async () => {
    // Our own /status page.
    const status = JSON.parse((await product.get('/status')).text) as {
      agent: { state: string; pid: number; stats: { capabilities: readonly string[] } };
    };
    expect(status.agent).toMatchObject({ state: 'running', pid: agent() });
    expect(status.agent.stats.capabilities).toEqual(Object.keys(AGENT_CAPABILITIES));
    const doctor = await product.cli('doctor', '--json');
    // What our own CLI printed.
    const { capabilities } = JSON.parse(doctor.stdout) as {
      capabilities: readonly { name: string; status: string; detail: string }[];
    };
    const own = capabilities.find(({ name }) => name === 'agent capabilities');
    expect(own).toMatchObject({ status: 'ok', detail: Object.keys(AGENT_CAPABILITIES).join(', ') });
    for (const name of Object.keys(AGENT_CAPABILITIES))
      expect(capabilities.find((one) => one.name === name)).toMatchObject({ status: 'ok', detail: 'held' });
  });

  it('samples again after kill -9 of the agent', async () => {
    const killed = agent();
    process.kill(killed, 'SIGKILL');
    await until(
      'another agent',
      () => Promise.resolve(agent()),
      (pid) => pid !== 0 && pid !== killed,
    );
    await sampledSince(Date.now());
    expect(await metric('fleetflame_agent_restarts_total')).toBe(1);
    expect(product.log).toMatch(/the agent ended with SIGKILL/);
  });

  it('answers again after kill -9 of the server, with what was stored', async () => {
    const before = await loadSince(0);
    const killed = server();
    process.kill(killed, 'SIGKILL');
    await until(
      'what was stored',
      () => loadSince(0),
      (total) => total >= before,
      120_000,
    );
    expect(server()).not.toBe(killed);
    expect(isRunning(killed)).toBe(false);
    expect(await metric('fleetflame_server_restarts_total')).toBe(1);
    expect(product.log).toMatch(/"restartMs":\d+,"restarts":1,"msg":"the server ended with SIGKILL"/);
    await sampledSince(Date.now());
  });

  it('leaves no child behind when it is killed, nor when it is stopped', async () => {
    for (const end of ['kill', 'stop'] as const) {
      // The page answers before the agent is there.
      const children = await until(
        'both to be there',
        () => Promise.resolve([server(), agent()]),
        (pids) => !pids.includes(0),
      );
      await product[end]();
      await until(
        `both to end after ${end}`,
        () => Promise.resolve(children.filter(isRunning)),
        (left) => left.length === 0,
      );
      expect(isRunning(product.pid)).toBe(false);
      product = await Product.start({ dataDir: product.dataDir, args: SAMPLING });
    }
    await sampledSince(Date.now());
  });
});

describe('whom the data belongs to', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fleetflame-owner-'));
    await chmod(directory, 0o755);
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it("takes over what earlier versions left as root's, and follows no link out of it", async () => {
    const data = join(directory, 'old');
    const outside = join(directory, 'outside');
    const linked = join(directory, 'linked');
    await mkdir(outside);
    await writeFile(join(outside, 'of-root'), 'x');
    await writeFile(linked, 'x');
    const first = await upOnce(data, '--user', 'root');
    expect(statusOf(first.serverPid, 'Uid')).toMatch(/^0\t/);
    expect(first.log).toMatch(/runs as root \(--user root\)/);
    await first.stop();
    await symlink(outside, join(data, 'objects', 'away'));
    await mkdir(join(data, 'spool'));
    await writeFile(join(data, 'spool', 'waiting'), 'x');
    execFileSync('ln', [linked, join(data, 'objects', 'second-name')]);
    expect((await stat(data)).uid).toBe(0);
    const second = await upOnce(data);
    const { uid } = await stat(data);
    expect(uid).not.toBe(0);
    expect(statusOf(second.serverPid, 'Uid')).toBe([uid, uid, uid, uid].join('\t'));
    expect((await stat(join(data, 'objects', 'store', 'id'))).uid).toBe(uid);
    expect((await stat(join(data, 'catalog.db'))).uid).toBe(uid);
    expect((await stat(outside)).uid).toBe(0);
    expect((await stat(join(outside, 'of-root'))).uid).toBe(0);
    expect((await stat(linked)).uid).toBe(0);
    expect(await second.stop()).toBe(0);
    // With an agent the spool of before goes where the agent's is now.
    const third = await Product.start({ dataDir: data });
    expect((await lstat(join(data, 'agent', 'spool', 'waiting'))).uid).toBe(0);
    await third.stop();
  });

  it('runs the server as the owner of the directory, whoever that is', async () => {
    const data = join(directory, 'owned');
    await mkdir(data);
    await chown(data, NAMELESS, NAMELESS);
    const product = await upOnce(data);
    expect(statusOf(product.serverPid, 'Uid')).toBe(Array(4).fill(NAMELESS).join('\t'));
    expect(BigInt(`0x${statusOf(product.serverPid, 'CapEff')}`)).toBe(0n);
    expect((await product.get('/readyz')).status).toBe(200);
    await product.stop();
  });

  it('gets to a checkout and to data below directories that only root may enter', async () => {
    // In mounts of this test alone: the checkout itself stays as it is.
    const script = [
      'mount -t tmpfs -o mode=0700 closed /mnt',
      'mkdir -p "/mnt/a checkout" /mnt/data',
      'mount --bind "$1" "/mnt/a checkout"',
      'shift',
      'exec "$@"',
    ].join(' && ');
    const inMounts = ['unshare', '--mount', '--propagation=private', 'sh', '-c', script, 'sh', ROOT];
    const node = ['/mnt/a checkout/node_modules/.bin/node', '/mnt/a checkout/packages/cli/src/main.ts'];
    const up = ['up', '--no-agent', '--listen=127.0.0.1:0', '--data=/mnt/data'];
    const { child, url, log } = await startServer('up', [...inMounts, ...node, ...up], {});
    const server = childOf(child.pid ?? 0, 'up-server') ?? 0;
    expect(statusOf(server, 'Uid')).not.toMatch(/(^|\t)0(\t|$)/);
    expect(BigInt(`0x${statusOf(server, 'CapEff')}`)).toBe(0n);
    expect((await fetch(`${url}/readyz`)).status, log()).toBe(200);
    expect(await endProcess(child, 'SIGTERM')).toBe(0);
    expect(isRunning(server)).toBe(false);
  });

  it('keeps a SQLite catalog elsewhere, and takes a port of root', async () => {
    const catalog = join(directory, 'catalog', 'here.db');
    const ports = [81, 280, 591, 777];
    let product: Product | undefined;
    for (const port of ports) {
      product = await upOnce(
        join(directory, 'elsewhere'),
        `--catalog=sqlite:${catalog}`,
        `--listen=127.0.0.1:${port}`,
      ).catch(() => undefined);
      if (product !== undefined) break;
    }
    const uid = Number(statusOf(product?.serverPid ?? 0, 'Uid').split('\t')[0]);
    expect(uid).toBeGreaterThan(0);
    expect((await stat(catalog)).uid).toBe(uid);
    expect((await product?.get('/readyz'))?.status).toBe(200);
    const killed = product?.serverPid ?? 0;
    process.kill(killed, 'SIGKILL');
    await until(
      'the port again',
      async () => (await product?.get('/readyz').catch(() => undefined))?.status,
      (status) => status === 200,
    );
    await product?.stop();
  });

  it.each([
    [['--user', 'no-such-user'], /there is no user "no-such-user"/],
    [['--user', 'nobody'], /is not nobody's to write.*--user root/],
  ])('%j is refused with what to do, and nothing is left running', async (args, reason) => {
    const data = join(directory, 'refused');
    await mkdir(data, { recursive: true });
    await chown(data, NAMELESS, NAMELESS);
    const { code, stderr } = await run(process.execPath, [
      MAIN,
      'up',
      '--no-agent',
      '--listen=127.0.0.1:0',
      `--data=${data}`,
      ...args,
    ]);
    expect([code, stderr]).toEqual([78, expect.stringMatching(reason)]);
  });

  it('ends when its server cannot start, with what the server says and its exit code', async () => {
    const data = join(directory, 'taken');
    const first = await upOnce(data);
    const second = ['up', '--no-agent', '--listen=127.0.0.1:0', `--data=${data}`];
    const { code, stderr } = await run(process.execPath, [MAIN, ...second]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('is in use by another Fleetflame')]);
    expect(await first.stop()).toBe(0);
    await writeFile(join(data, 'catalog.db'), 'no database');
    const third = await run(process.execPath, [MAIN, ...second]);
    expect([third.code, third.stderr]).toEqual([78, expect.stringContaining('catalog.db')]);
  });

  it('does not give away a directory of root that holds what is not its own', async () => {
    const data = join(directory, 'shared');
    await mkdir(join(data, 'mail'), { recursive: true });
    const { code, stderr } = await run(process.execPath, [
      MAIN,
      'up',
      '--no-agent',
      '--listen=127.0.0.1:0',
      `--data=${data}`,
    ]);
    expect([code, stderr]).toEqual([78, expect.stringContaining('holds the directory "mail"')]);
    expect((await stat(data)).uid).toBe(0);
  });
});

async function upOnce(dataDir: string, ...args: readonly string[]): Promise<Product> {
  return await Product.start({ dataDir, args: ['--no-agent', ...args] });
}
