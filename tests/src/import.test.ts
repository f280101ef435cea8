import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bufferSource, ElfFile } from '@fleetflame/elf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product, run } from './support/product.ts';
import { FIXTURES, Workshop } from './support/workloads.ts';

interface TopJson {
  readonly total: number;
  readonly functions: readonly { readonly name: string; readonly self: number; readonly total: number }[];
}

interface PushJson {
  readonly format: string;
  readonly rows: number;
  readonly totals: Readonly<Record<string, number>>;
  readonly changes: readonly { readonly what: string; readonly count: number; readonly meaning: string }[];
}

const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

const hasJava = (await run('java', ['-version']).catch(() => ({ code: 1 }))).code === 0;
const canPerf =
  (
    await run('perf', ['record', '-q', '-e', 'cpu-clock', '-o', '/dev/null', 'true']).catch(() => ({
      code: 1,
    }))
  ).code === 0;

const JAVA = `
public class Spin {
  static double work(int n) { double s = 0; for (int i = 1; i < n; i++) s += 1.0 / i; return s; }
  public static void main(String[] a) {
    double s = 0;
    for (long end = System.nanoTime() + 3_000_000_000L; System.nanoTime() < end;) s += work(100_000);
    System.out.println(s);
  }
}
`;

describe('files of other tools', () => {
  let workshop: Workshop;
  let product: Product;
  const at = (name: string): string => join(workshop.directory, name);

  beforeAll(async () => {
    workshop = await Workshop.open();
    product = await Product.start({ args: ['--no-agent'] });
  });

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
    await workshop?.close();
  });

  async function push(service: string, ...args: string[]): Promise<PushJson> {
    const pushed = await product.cli(
      'push',
      ...args,
      '--label',
      `service_name=${service}`,
      '--time',
      'now',
      '--json',
    );
    expect(pushed.code, pushed.stderr).toBe(0);
    // JSON that our own CLI printed.
    return JSON.parse(pushed.stdout) as PushJson;
  }

  async function top(service: string, type: string): Promise<TopJson> {
    const asked = await product.cli(
      'top',
      '--last',
      '1h',
      '--selector',
      `{service_name="${service}"}`,
      '--type',
      type,
      '--json',
    );
    expect(asked.code, asked.stderr).toBe(0);
    return JSON.parse(asked.stdout) as TopJson;
  }

  it.each([
    ['by the default linker', []],
    ['with pages of 64 KiB', ['-Wl,-z,max-page-size=0x10000']],
  ])('a position-independent program, linked %s, gets its names in every process', async (linked, flags) => {
    const name = `pie${flags.length}`;
    const binary = at(name);
    const built = await run('gcc', [
      '-O1',
      '-g',
      '-fPIE',
      '-pie',
      '-Wl,--build-id',
      ...flags,
      '-o',
      binary,
      join(FIXTURES, 'pie.c'),
      '-lm',
    ]);
    expect(built.stderr, linked).toBe('');
    const buildId = ElfFile.parse(bufferSource(await readFile(binary))).identity ?? '';
    let total = 0;
    for (const file of ['one.pb', 'two.pb']) {
      expect((await run(binary, [buildId, at(file)])).code).toBe(0);
      total += (await push(name, at(file))).totals[CPU] ?? 0;
    }
    expect(total).toBeGreaterThan(0);
    expect((await top(name, CPU)).functions[0]?.name).toMatch(new RegExp(`^${name}\\+0x`));
    expect(await product.cli('symbols', 'push', binary)).toMatchObject({ code: 0 });
    const named = await top(name, CPU);
    expect(named.total).toBe(total);
    // Some samples may be in main.
    const [first] = named.functions;
    expect(first?.name).toBe('leaf_work');
    expect(named.functions.reduce((sum, { self }) => sum + self, 0)).toBe(total);
    expect(named.functions.every(({ name: text }) => !text.includes('+0x'))).toBe(true);
  });

  it('node --cpu-prof', async () => {
    const program =
      'function spin(end) { let s = 0; while (performance.now() < end) s += Math.sqrt(s + 1); return s } spin(performance.now() + 300)';
    const made = await run(process.execPath, [
      '--cpu-prof',
      '--cpu-prof-dir',
      workshop.directory,
      '--cpu-prof-name',
      'a.cpuprofile',
      '-e',
      program,
    ]);
    expect(made.code, made.stderr).toBe(0);
    const { format, totals } = await push('cpuprofile', at('a.cpuprofile'));
    expect(format).toBe('cpuprofile');
    const found = await top('cpuprofile', CPU);
    expect(found.total).toBe(totals[CPU]);
    // Half of the time at least: what it calls has the rest.
    expect(found.functions.find(({ name }) => name === 'spin')?.total).toBeGreaterThan(found.total / 2);
  });

  it.skipIf(!hasJava)('a recording of the JDK has the samples that jfr print counts', async () => {
    await writeFile(at('Spin.java'), JAVA);
    const recorded = await run('java', [
      `-XX:StartFlightRecording=filename=${at('spin.jfr')},settings=profile`,
      at('Spin.java'),
    ]);
    expect(recorded.code, recorded.stderr).toBe(0);
    const { format, totals } = await push('jfr', at('spin.jfr'));
    expect(format).toBe('jfr');
    const printed = await run('jfr', ['print', '--events', 'jdk.ExecutionSample', at('spin.jfr')]);
    expect(totals[SAMPLES]).toBe(printed.stdout.match(/^jdk\.ExecutionSample /gm)?.length ?? 0);
    const named = (await top('jfr', SAMPLES)).functions.map(({ name }) => name);
    expect(named).toContain('Spin.work');
  });

  it.skipIf(!canPerf)('perf script has the samples that perf reports', async () => {
    const binary = at('perf-load');
    expect(
      (
        await run('gcc', [
          '-O1',
          '-g',
          '-fno-omit-frame-pointer',
          '-o',
          binary,
          join(FIXTURES, 'pie.c'),
          '-lm',
        ])
      ).code,
    ).toBe(0);
    const data = at('perf.data');
    await run('perf', [
      'record',
      '-q',
      '-e',
      'cpu-clock',
      '-F',
      '199',
      '-g',
      '-o',
      data,
      binary,
      '00',
      at('x.pb'),
    ]);
    const script = await run('perf', ['script', '-i', data]);
    expect(script.code, script.stderr).toBe(0);
    await writeFile(at('perf.txt'), script.stdout);
    const { format, totals, changes } = await push('perf', at('perf.txt'));
    expect(format).toBe('perf-script');
    expect(totals[SAMPLES]).toBe(script.stdout.match(/ cpu-clock\S*:/gm)?.length ?? 0);
    expect(changes).toEqual([]);
    expect((await top('perf', SAMPLES)).functions[0]?.name).toBe('leaf_work');
    const refused = await product.cli('push', data, '--label', 'service_name=perf');
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toMatch(/perf\.data file.*perf script/);
  });

  it('several files, standard input, and one that is none', async () => {
    await writeFile(at('a.folded'), 'main;a 1\n');
    await writeFile(at('b.html'), '<!doctype html>');
    const pushed = await product.cli(
      'push',
      at('a.folded'),
      at('b.html'),
      at('none'),
      '--label',
      'service_name=many',
    );
    expect(pushed.code).toBe(1);
    expect(pushed.stdout).toMatch(/a\.folded: stored 1 sample rows/);
    expect(pushed.stderr).toMatch(/b\.html: This is an HTML page/);
    expect(pushed.stderr).toMatch(/none: cannot read/);
    expect((await top('many', SAMPLES)).total).toBe(1);
  });
});
