import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bufferSource, ElfFile } from '@fleetflame/elf';
import { splitDebug } from '@fleetflame/elf/testing';
import { BlockBuilder, encodePprof } from '@fleetflame/profile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product, run, type Output } from './support/product.ts';
import { FIXTURES, Workshop } from './support/workloads.ts';

interface Unnamed {
  readonly total: number;
  readonly binaries: readonly {
    readonly binary: string;
    readonly buildId: string;
    readonly self: number;
    readonly share: number;
    readonly reason: string;
    readonly why: string;
    readonly remedy: string;
  }[];
}

interface Status {
  readonly buildId: string;
  readonly fileName: string;
  readonly source: string;
  readonly symbols: number;
  readonly lines: number;
  readonly inlines: number;
  readonly problem: string;
}

const SELECTOR = '{service_name="stripped-load"}';

/** Two stacks of the program, as an agent would have sampled them: addresses, no names. */
async function profileOf(binary: string, buildId: string): Promise<Uint8Array> {
  const symbols = (await run('nm', ['--print-size', binary])).stdout;
  const addresses = (name: string): number[] => {
    const [, at = '', size = ''] = new RegExp(`^([0-9a-f]+) ([0-9a-f]+) . ${name}$`, 'm').exec(symbols) ?? [];
    return Array.from({ length: Number.parseInt(size, 16) }, (_, index) => Number.parseInt(at, 16) + index);
  };
  const builder = new BlockBuilder();
  const mapping = builder.mapping(builder.string('inlined'), builder.string(buildId), 'native');
  const series = builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 1e7, {});
  const main = builder.stack(0, builder.location(mapping, addresses('main').at(-1) ?? 0, 0, []));
  // An address of which the debug information says that it is in `mix`, inlined in `digest`.
  const work = addresses('handle_request');
  const named = await run(
    'addr2line',
    ['-a', '-i', '-f', '-e', binary],
    {},
    work.map((at) => at.toString(16)).join('\n'),
  );
  const deep = named.stdout
    .split(/^0x/m)
    .find((entry) => entry.split('\n').filter((line) => /^\w+$/.test(line)).length === 4);
  expect(deep).toMatch(/mix\n.*\ndigest\n.*\nhandle_request\n/);
  builder.add(
    series,
    builder.stack(main, builder.location(mapping, Number.parseInt(deep ?? '', 16), 0, [])),
    1,
    9e9,
  );
  builder.add(series, main, 1, 1e9);
  return encodePprof(builder.build(), { profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds' });
}

/** A profile of a program as a distribution ships it; what names its functions comes an hour later. */
describe('late symbols', () => {
  let workshop: Workshop;
  let product: Product;
  let debug: string;
  let buildId: string;
  /** The same seconds are asked for before and after. */
  let range: readonly string[];

  beforeAll(async () => {
    workshop = await Workshop.open();
    const whole = join(workshop.directory, 'inlined');
    const built = await run('gcc', [
      '-O2',
      '-g',
      '-Wl,--build-id',
      '-o',
      whole,
      join(FIXTURES, 'late-symbols.c'),
    ]);
    expect(built.stderr).toBe('');
    buildId = ElfFile.parse(bufferSource(await readFile(whole))).identity ?? '';
    const shipped = join(workshop.directory, 'shipped');
    await mkdir(shipped);
    const split = splitDebug(whole, shipped);
    // Where it is not found by itself.
    debug = join(workshop.directory, 'inlined.debug');
    await rename(split.debug, debug);
    product = await Product.start({ args: ['--no-agent'] });
    const hourAgo = Math.floor(Date.now() / 1000) - 3600;
    range = ['--from', String(hourAgo - 10), '--to', String(hourAgo + 10)];
    const profile = join(workshop.directory, 'cpu.pb.gz');
    await writeFile(profile, await profileOf(whole, buildId));
    const labels = ['--label', 'service_name=stripped-load', '--time', String(hourAgo)];
    expect(await product.cli('push', profile, ...labels)).toMatchObject({ code: 0, stderr: '' });
    expect((await unnamed()).binaries).toMatchObject([{ binary: 'inlined', reason: 'not_uploaded' }]);
    // What an agent would have found.
    const first = await push(split.stripped);
    expect(first.stderr).toBe('');
    expect(first.stdout).toMatch(
      /^inlined \(build id \w+\): \d+ (functions \(dynsym\)|stubs of imported functions and nothing else)/,
    );
  });

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
    await workshop?.close();
  });

  async function status(): Promise<readonly Status[]> {
    // JSON that our own CLI printed.
    return JSON.parse((await product.cli('symbols', 'status', buildId, '--json')).stdout) as Status[];
  }

  async function unnamed(): Promise<Unnamed> {
    const { stdout } = await product.cli('symbols', ...range, '--selector', SELECTOR, '--json');
    // JSON that our own CLI printed.
    return JSON.parse(stdout) as Unnamed;
  }

  async function folded(): Promise<string> {
    return (await product.cli('flame', ...range, '--selector', SELECTOR)).stdout;
  }

  async function push(...files: readonly string[]): Promise<Output> {
    return await product.cli('symbols', 'push', ...files);
  }

  it('first: names are missing, and it is said which, why and what to do', async () => {
    expect(await folded()).not.toContain('handle_request');
    const answer = await unnamed();
    const own = answer.binaries.find((one) => one.binary === 'inlined');
    expect(own).toMatchObject({ buildId, reason: expect.stringMatching(/no_symbols|not_covered/) });
    expect(own?.why).toMatch(/stripped/);
    expect(own?.remedy).toMatch(/apt install .*symbols push .*--debuginfod/);
    expect(own).toMatchObject({ self: 10e9, share: 1 });
    const { stdout } = await product.cli('symbols', ...range, '--selector', SELECTOR);
    expect(stdout).toMatch(/has no function name\n/);
    expect(stdout).toMatch(new RegExp(`cores +\\d+\\.\\d % +inlined +${buildId.slice(0, 16)} .*stripped`));
    expect(stdout).toMatch(/^inlined: install its debug package/m);
  });

  it('files that are none, or of another build, are refused one by one with the reason', async () => {
    const text = join(workshop.directory, 'text');
    await writeFile(text, 'text');
    const { code, stderr, stdout } = await push(text, '/nowhere/x', '/tmp', debug);
    expect(code).toBe(1);
    expect(stderr).toMatch(/text: .*not an ELF file/);
    expect(stderr).toMatch(/\/nowhere\/x: cannot be read/);
    expect(stderr).toMatch(/\/tmp: is not a file/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toMatch(
      new RegExp(
        `^inlined.debug \\(build id ${buildId}\\): \\d+ functions, \\d+ lines, \\d+ inlined calls; .*sent$`,
        'm',
      ),
    );
  });

  it('then: the same seconds have names, lines and inlined calls', async () => {
    expect(await folded()).toBe('main 1000000000\nmain;handle_request;digest;mix 9000000000\n');
    const after = await unnamed();
    expect(after.binaries.filter((one) => one.binary === 'inlined')).toEqual([]);
    const [binary] = await status();
    expect(binary).toMatchObject({ source: 'dwarf', problem: '', fileName: 'inlined.debug' });
    expect(binary?.lines).toBeGreaterThan(5);
    expect(binary?.inlines).toBeGreaterThan(1);
    const { stdout } = await product.cli('symbols', 'status', buildId, 'ffffffffffff');
    expect(stdout).toMatch(/inlined.debug .* dwarf .* ok\n/);
    expect(stdout).toContain('ffffffffffff: nothing is known of it');
  });
});
