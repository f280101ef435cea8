import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFooter } from '@fleetflame/profile';
import polars from 'nodejs-polars';
import { Product, run } from './support/product.ts';
import { Workshop } from './support/workloads.ts';

const ALL = ['--last', '1d'];

interface TopJson {
  readonly unit: string;
  readonly total: number;
  readonly functions: readonly { readonly name: string; readonly self: number; readonly total: number }[];
}

describe('profiles of other tools, and our files in other tools', () => {
  let workshop: Workshop;
  let product: Product;

  beforeAll(async () => {
    workshop = await Workshop.open();
    product = await Product.start({ args: ['--no-agent'] });
    const generator = await workshop.go('profile');
    expect((await run(generator, [workshop.directory])).code).toBe(0);
    await writeFile(join(workshop.directory, 'node.pb.gz'), await nodeProfile());
  });

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
    await workshop?.close();
  });

  it.each([
    ['cpu.pb.gz', 'go-cpu', 'cpu'],
    ['heap.pb.gz', 'go-heap', 'alloc_space'],
    ['heap.pb.gz', 'go-heap-inuse', 'inuse_objects'],
    ['node.pb.gz', 'node-wall', 'wall'],
  ])('%s goes in and comes out with the same total', async (file, service, type) => {
    const path = join(workshop.directory, file);
    const pushed = await product.cli('push', path, '--label', `service_name=${service}`, '--json');
    expect(pushed.code, pushed.stderr).toBe(0);
    // JSON that our own CLI printed.
    const totals = (JSON.parse(pushed.stdout) as { totals: Record<string, number> }).totals;
    const [profileType = '', total] = Object.entries(totals).find(([id]) => id.split(':')[1] === type) ?? [];
    expect(total).toBe(await goTotal(path, type));

    const selector = `{service_name="${service}"}`;
    const top = await product.cli('top', ...ALL, '--selector', selector, '--type', profileType, '--json');
    expect((JSON.parse(top.stdout) as TopJson).total).toBe(total);

    const exported = join(workshop.directory, `${service}.out.pb.gz`);
    const flame = await product.cli(
      'flame',
      ...ALL,
      '--selector',
      selector,
      '--type',
      profileType,
      '--format',
      'pprof',
      '-o',
      exported,
    );
    expect(flame.code, flame.stderr).toBe(0);
    expect(await goTotal(exported, type)).toBe(total);
  });

  it("keeps Go's labels through push and export", async () => {
    const exported = join(workshop.directory, 'labels.pb.gz');
    await product.cli(
      'flame',
      ...ALL,
      '--selector',
      '{service_name="go-cpu"}',
      '--type',
      'cpu',
      '--format',
      'pprof',
      '-o',
      exported,
    );
    const before = await tags(join(workshop.directory, 'cpu.pb.gz'));
    expect(before).toHaveLength(2);
    expect(await tags(exported)).toEqual(before);
    const values = await product.query.labelValues({
      scope: {
        fromMs: BigInt(Date.now() - 86_400_000),
        toMs: BigInt(Date.now()),
        selector: '{service_name="go-cpu"}',
        profileType: 'cpu',
      },
      name: 'tenant',
    });
    expect(values.values.map((v) => v.value).sort()).toEqual(expect.arrayContaining(['acme', 'globex']));
  });

  it('exports what go tool pprof reads: same functions, same values', async () => {
    const top = await product.cli(
      'top',
      ...ALL,
      '--selector',
      '{service_name="go-cpu"}',
      '--type',
      'cpu',
      '--json',
    );
    const ours = (JSON.parse(top.stdout) as TopJson).functions.find((f) => f.name === 'main.burn');
    const exported = join(workshop.directory, 'labels.pb.gz');
    const { stdout } = await run('go', [
      'tool',
      'pprof',
      '-top',
      '-sample_index=cpu',
      '-unit=ns',
      '-nodefraction=0',
      exported,
    ]);
    const line = /^\s*(\d+)ns\s+\S+\s+\S+\s+(\d+)ns\s+\S+\s+main\.burn/m.exec(stdout);
    expect(Number(line?.[1]), stdout).toBe(ours?.self);
    expect(Number(line?.[2])).toBe(ours?.total);
  });

  it("lists the lines of every function as go tool pprof does, from Go's own file", async () => {
    const { stdout } = await run('go', [
      'tool',
      'pprof',
      '-top',
      '-lines',
      '-sample_index=cpu',
      '-unit=ns',
      '-nodecount=100000',
      '-nodefraction=0',
      '-edgefraction=0',
      join(workshop.directory, 'cpu.pb.gz'),
    ]);
    const theirs = [
      ...stdout.matchAll(
        /^\s*(\d+)(?:ns)?\s+\S+\s+\S+\s+(\d+)(?:ns)?\s+\S+\s+(\S+) (\S+:\d+)(?: \((?:partial-)?inline\))?$/gm,
      ),
    ].map(([, self, total, name, place]) => `${name} ${place} ${self} ${total}`);
    expect(theirs.length, stdout).toBeGreaterThan(3);
    const scope = {
      fromMs: BigInt(Date.now() - 86_400_000),
      toMs: BigInt(Date.now()),
      selector: '{service_name="go-cpu"}',
      profileType: 'cpu',
    };
    const ours: string[] = [];
    const { functions } = await product.query.top({ scope });
    for (const { name, filename, binary } of functions) {
      const { lines } = await product.query.functionDetails({ scope, name, filename, binary });
      for (const { line, self, total } of lines) ours.push(`${name} ${filename}:${line} ${self} ${total}`);
    }
    expect(ours.sort()).toEqual(theirs.sort());
  });

  it('stores tables that another Arrow implementation opens, with the same sums', async () => {
    const objects = await blockFiles(join(product.dataDir, 'objects'));
    expect(objects.length).toBeGreaterThan(0);
    let sum = 0;
    let expected = 0;
    for (const file of objects) {
      const bytes = await readFile(file);
      const footer = await readFooter({
        size: bytes.length,
        read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
      });
      for (const dataset of footer.datasets) expected += Number(dataset.total);
      for (const table of footer.tables) {
        const start = Number(table.offset);
        const frame = polars.readIPC(Buffer.from(bytes.subarray(start, start + Number(table.sizeBytes))));
        expect(frame.height, table.name).toBe(Number(table.rows));
        if (table.name === 'samples') sum += frame.getColumn('total').sum();
      }
    }
    expect(sum).toBe(expected);
    expect(sum).toBeGreaterThan(0);
  });
});

/** Total of one sample type, as go tool pprof counts it. */
async function goTotal(file: string, type: string): Promise<number> {
  const { stdout, stderr, code } = await run('go', ['tool', 'pprof', '-raw', '-symbolize=none', file]);
  expect(code, stderr).toBe(0);
  const types = /Samples:\n(.*)\n/.exec(stdout)?.[1]?.trim().split(/\s+/) ?? [];
  const column = types.findIndex((name) => name.replace('[dflt]', '').split('/')[0] === type);
  expect(column, types.join(' ')).toBeGreaterThanOrEqual(0);
  let total = 0;
  const samples = stdout.slice(stdout.indexOf('Samples:'), stdout.indexOf('\nLocations'));
  for (const line of samples.matchAll(/^\s*(-?\d+(?:\s+-?\d+)*):/gm)) {
    total += Number(line[1]?.trim().split(/\s+/)[column]);
  }
  return total;
}

/** Values per tenant label, as go tool pprof counts them: "acme 1230000". */
async function tags(file: string): Promise<readonly string[]> {
  const { stdout } = await run('go', ['tool', 'pprof', '-tags', '-sample_index=cpu', '-unit=ns', file]);
  return [...stdout.matchAll(/^\s*([\d.]+)ns \([^)]*\): (acme|globex)/gm)]
    .map((m) => `${m[2]} ${m[1]}`)
    .sort();
}

/** A wall profile of this process by Datadog's profiler: a real file of a Node tool. */
async function nodeProfile(): Promise<Uint8Array> {
  const require = createRequire(import.meta.url);
  // The package has no types for its default export under ESM.
  const pprof = require('@datadog/pprof') as {
    time: { start: (options: object) => void; stop: () => object };
    encode: (profile: object) => Promise<Uint8Array>;
  };
  pprof.time.start({ durationMillis: 1000, intervalMicros: 2000 });
  const end = Date.now() + 400;
  let x = 0;
  while (Date.now() < end) x += Math.sqrt(x + 1);
  return await pprof.encode(pprof.time.stop());
}

async function blockFiles(directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const blocks: string[] = [];
  for (const file of files) {
    const bytes = await readFile(file);
    if (bytes.length > 16 && file.includes('block')) blocks.push(file);
  }
  return blocks;
}
