/** `up` on a disk that is really full: a small tmpfs, which only root can mount. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Code, ConnectError } from '@connectrpc/connect';
import { encodeBlock } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { Product, run, until } from '../support/product.ts';
import { MAIN } from '../support/server-process.ts';

const TMPFS_BYTES = 8 << 20;
/** Left when the disk is filled: some batches still go in, and one of them does not. */
const LEFT_BYTES = 96 << 10;
/** More than fit into what is left, wherever they go. */
const MOST_BATCHES = 400;

/** Where the small disk is, below the data directory, and the flags of `up` that go with it. */
const DISKS = {
  objects: { path: 'objects', args: [] },
  catalog: { path: 'catalog', args: ['--catalog', 'sqlite:DISK/catalog.db'] },
} as const;

describe.each(Object.entries(DISKS))('a full disk under the %s', (_, { path, args }) => {
  let dataDir: string;
  let disk: string;
  let product: Product;
  const startedMs = Date.now() - 7_200_000;
  let acked = 0;
  let seq = 0;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'fleetflame-full-'));
    disk = join(dataDir, path);
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${TMPFS_BYTES}`, 'tmpfs', disk]);
    product = await Product.start({
      dataDir,
      args: ['--no-agent', ...args.map((arg) => arg.replace('DISK', disk))],
    });
  });

  afterAll(async () => {
    await product?.stop();
    execFileSync('umount', [disk]);
    await rm(dataDir, { recursive: true, force: true });
  });

  it('refuses what does not fit, says why, and keeps what was acked', async () => {
    expect(await write()).toBeUndefined();
    await fill();
    let refused: ConnectError | undefined;
    for (let i = 0; i < MOST_BATCHES && refused === undefined; i++) refused = await write();
    // The agent keeps it and tries again.
    expect(refused?.code).toBe(Code.Unavailable);
    expect(refused?.rawMessage).toMatch(/ENOSPC|no space left|disk is full/i);
    expect(await total()).toBe(acked);
    expect((await product.get('/metrics')).text).toMatch(
      /^fleetflame_ingest_refused_total\{reason="not_stored"\} [1-9]/m,
    );
  });

  it('is not ready while it is not able, says why, and is again by itself when there is room', async () => {
    const ready = async (): Promise<number> => (await product.get('/readyz')).status;
    const refused = async (): Promise<number> => {
      await write();
      return await ready();
    };
    await until('it is not ready', refused, (status) => status === 503);
    const { text } = await product.get('/readyz');
    expect(text).toMatch(/^unable: .*cannot be written/);
    expect(text).not.toContain(disk);
    const status = JSON.parse((await product.get('/status')).text);
    expect(status).toMatchObject({ ready: false, problems: [expect.stringMatching(/cannot be written/)] });
    expect((await product.get('/metrics')).text).toMatch(/^fleetflame_ready 0$/m);
    expect((await product.get('/healthz')).status).toBe(200);
    await rm(join(disk, 'filler'));
    await until('it is ready', ready, (found) => found === 200);
    expect(await total()).toBe(acked);
    await fill();
  });

  it('takes the same batch when there is room, without a restart, and counts it once', async () => {
    await rm(join(disk, 'filler'));
    await until('the batch is taken', write, (error) => error === undefined);
    expect(await total()).toBe(acked);
    expect(
      (await product.ingest.write({ agentId: 'full', seq: BigInt(seq - 1), block: block(seq - 1) }))
        .duplicate,
    ).toBe(true);
    expect(await total()).toBe(acked);
  });

  it('has sound blocks, and the same sums after a restart', async () => {
    const verify = [MAIN, 'blocks', 'verify', '--json'];
    const { code, stdout } = await run(process.execPath, verify, { FLEETFLAME_SERVER: product.url });
    expect(code, stdout).toBe(0);
    await product.stop();
    product = await Product.start({
      dataDir,
      args: ['--no-agent', ...args.map((arg) => arg.replace('DISK', disk))],
    });
    expect(await total()).toBe(acked);
  });

  /** The next batch; undefined: it was acked. */
  async function write(): Promise<ConnectError | undefined> {
    try {
      await product.ingest.write({ agentId: 'full', seq: BigInt(seq), block: block(seq) });
    } catch (error) {
      return ConnectError.from(error);
    }
    acked += 1000 + seq;
    seq++;
    return undefined;
  }

  /** A block of some kilobytes that do not compress. */
  function block(number: number): Uint8Array {
    const noise = Array.from({ length: 200 }, (_, i) => ((number + 1) * (i + 7) * 2654435761) >>> 0);
    const names = noise.map((word) => word.toString(36)).join('_');
    const text = `main;${names} ${1000 + number}`;
    return encodeBlock(
      blockFromText(text, { timeMs: startedMs + number * 1000, labels: { service_name: 'full' } }),
    );
  }

  async function total(): Promise<number> {
    const answer = await product.query.top({
      scope: {
        fromMs: BigInt(startedMs - 60_000),
        toMs: BigInt(startedMs + 3_600_000),
        selector: '{service_name="full"}',
        profileType: 'cpu',
      },
      limit: 1,
    });
    expect(answer.coverage?.missing).toEqual([]);
    return Number(answer.total);
  }

  async function fill(): Promise<void> {
    const [, free = '0'] = execFileSync('df', ['--block-size=1', '--output=avail', disk], {
      encoding: 'utf8',
    }).split('\n');
    await writeFile(join(disk, 'filler'), Buffer.alloc(Number(free) - LEFT_BYTES));
  }
});
