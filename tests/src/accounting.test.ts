import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeFlameTable, type FlameTable } from '@fleetflame/profile';
import { Product, until } from './support/product.ts';
import { busyCpuSeconds, FIXTURES, Workload, Workshop } from './support/workloads.ts';

/** At least so long, and until each program has had so much CPU: on a busy machine that takes longer. */
const OBSERVED_SECONDS = 60;
const ENOUGH_CPU_SECONDS = 25;
const MOST_OBSERVED_SECONDS = 400;
const FREQUENCY_HZ = 199;
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/** Real programs, each as a service of its own; together they keep the CPUs busy but not only busy. */
const SERVICES = ['shares', 'hash-go', 'fib-node', 'copy-dd'] as const;
type Service = (typeof SERVICES)[number];

describe('a minute of mixed load on this host', () => {
  let workshop: Workshop;
  let product: Product;
  const workloads = new Map<Service, Workload>();
  const used = new Map<Service, number>();
  let busy = 0;
  let fromMs = 0;
  let toMs = 0;

  beforeAll(async () => {
    workshop = await Workshop.open();
    const [shares, hash] = [await workshop.c('shares'), await workshop.go('load')];
    product = await Product.start({ args: ['--frequency', String(FREQUENCY_HZ), '--window', '2s'] });
    const seconds = String(MOST_OBSERVED_SECONDS + 120);
    workloads.set('shares', new Workload('shares', shares, [seconds]));
    workloads.set('hash-go', new Workload('hash-go', hash, [seconds]));
    const node = [
      '--perf-basic-prof',
      '--interpreted-frames-native-stack',
      '--no-logfile-per-isolate',
      '--logfile=+',
      `${FIXTURES}/load.mjs`,
      seconds,
    ];
    workloads.set('fib-node', new Workload('fib-node', process.execPath, node));
    workloads.set(
      'copy-dd',
      new Workload('copy-dd', 'dd', ['if=/dev/zero', 'of=/dev/null', 'bs=64k', 'count=1000000000']),
    );
    await until(
      'all programs in the profile',
      () =>
        product.query.labelValues({
          scope: scope(Date.now() - 60_000, Date.now() + 1000),
          name: 'service_name',
        }),
      (answer) => SERVICES.every((service) => answer.values.some((v) => v.value === service)),
    );

    // Sample times have a resolution of a second: observe whole seconds.
    fromMs = await nextSecond();
    const busyBefore = await busyCpuSeconds();
    const before = await cpuOfEach();
    const ranFor = (): number => (Date.now() - fromMs) / 1000;
    const haveEnough = async (): Promise<boolean> =>
      [...(await cpuOfEach())].every(
        ([service, seconds]) => seconds - (before.get(service) ?? 0) >= ENOUGH_CPU_SECONDS,
      );
    while (ranFor() < OBSERVED_SECONDS - 1 || (ranFor() < MOST_OBSERVED_SECONDS && !(await haveEnough())))
      await new Promise((resolve) => setTimeout(resolve, 200));
    toMs = await nextSecond();
    const after = await cpuOfEach();
    busy = (await busyCpuSeconds()) - busyBefore;
    for (const service of SERVICES) used.set(service, (after.get(service) ?? 0) - (before.get(service) ?? 0));
    for (const workload of workloads.values()) await workload.stop();
    await until(
      'the last window',
      () => product.query.top({ scope: scope(fromMs, toMs), limit: 1 }),
      (answer) => Number(answer.coverage?.newestSampleMs) > toMs + 3000,
    );
  }, 600_000);

  afterAll(async () => {
    for (const workload of workloads.values()) await workload.stop();
    await product?.stop();
    await product?.remove();
    await workshop?.close();
  });

  it('accounts for the busy CPU seconds of /proc/stat within 5 %', async () => {
    const answer = await product.query.top({ scope: scope(fromMs, toMs), limit: 1 });
    const profiled = Number(answer.total) / 1e9;
    expect(answer.coverage?.blocksAnswered).toBe(answer.coverage?.blocksExpected);
    expect(profiled / busy, `${profiled} s in the profile, ${busy} s in /proc/stat`).toBeGreaterThan(0.95);
    expect(profiled / busy, `${profiled} s in the profile, ${busy} s in /proc/stat`).toBeLessThan(1.05);
  });

  it.each(SERVICES)(
    'accounts for %s within 5 percent of /proc/PID/stat, or what chance allows',
    async (service) => {
      const answer = await product.query.top({ scope: scope(fromMs, toMs, service), limit: 1 });
      const profiled = Number(answer.total) / 1e9;
      const truth = used.get(service) ?? 0;
      expect(truth).toBeGreaterThan(5);
      // Whom a tick meets is chance: of `ticks` samples a program gets its share, with the deviation of a binomial.
      const ticks = busy * FREQUENCY_HZ;
      const share = truth / busy;
      const deviation = Math.sqrt(ticks * share * (1 - share)) / FREQUENCY_HZ;
      expect(Math.abs(profiled - truth), `${profiled} s in the profile, ${truth} s in /proc`).toBeLessThan(
        Math.max(truth * 0.05, 4 * deviation),
      );
    },
  );

  it('shows the shares of three named functions within 3 points, with the right callers', async () => {
    const table = await flame('shares');
    const serve = childNamed(table, 'main', 'serve');
    const main = nodeNamed(table, 'main');
    const share = (node: number): number => (100 * (table.total[node] ?? 0)) / (table.total[main] ?? 1);
    for (const [node, expected] of [
      [childOf(table, serve, 'parse_request'), 60],
      [childOf(table, serve, 'render_page'), 30],
      [childOf(table, main, 'flush_log'), 10],
    ] as const) {
      expect(Math.abs(share(node) - expected), `${expected} %`).toBeLessThan(3);
    }
  });

  it('names the JavaScript functions of a Node process from its perf map', async () => {
    const table = await flame('fib-node');
    const names = namesByTotal(table);
    expect(names.find((name) => name.includes('fibonacci'))).toBeDefined();
    expect(names.find((name) => name.includes('serveRequests'))).toBeDefined();
    expect(shareOfNamed(table, 'fibonacci')).toBeGreaterThan(0.8);
  });

  it('names the functions of a Go binary from its own tables', async () => {
    const table = await flame('hash-go');
    expect(shareOfNamed(table, 'main.hashLoop')).toBeGreaterThan(0.9);
    expect(shareOfNamed(table, 'main.work')).toBeGreaterThan(0.9);
  });

  it('names the kernel functions below a kernel-heavy program', async () => {
    const table = await flame('copy-dd');
    let kernel = 0;
    let named = 0;
    for (let i = 0; i < table.length; i++) {
      const frame = table.frame[i] ?? 0;
      if (table.frames.strings[table.frames.binary[frame] ?? 0] !== '[kernel]') continue;
      kernel += table.self[i] ?? 0;
      if (table.frames.named[frame] === 1) named += table.self[i] ?? 0;
    }
    expect(kernel / (table.total[0] ?? 1)).toBeGreaterThan(0.7);
    expect(named / kernel).toBeGreaterThan(0.99);
  });

  it('shows the product itself in its own profile', async () => {
    const answer = await product.query.labelValues({ scope: scope(fromMs, toMs), name: 'service_name' });
    const own = answer.values.find((value) => value.value === 'fleetflame');
    expect(Number(own?.total)).toBeGreaterThan(0);
  });

  async function flame(service: string): Promise<FlameTable> {
    const answer = await product.query.flameGraph({ scope: scope(fromMs, toMs, service) });
    const table = decodeFlameTable(answer.table);
    expect(table.total[0]).toBe(Number(answer.total));
    return table;
  }

  async function cpuOfEach(): Promise<Map<Service, number>> {
    const entries = [...workloads].map(
      async ([service, workload]) => [service, await workload.cpuSeconds()] as const,
    );
    return new Map(await Promise.all(entries));
  }
});

function scope(from: number, to: number, service?: string) {
  return {
    fromMs: BigInt(from),
    toMs: BigInt(to),
    selector: service === undefined ? '' : `{service_name="${service}"}`,
    profileType: CPU,
  };
}

/** Waits for the next whole second and returns it. */
async function nextSecond(): Promise<number> {
  const second = Math.ceil((Date.now() + 1) / 1000) * 1000;
  while (Date.now() < second) await new Promise((resolve) => setTimeout(resolve, 1));
  return second;
}

function nameOf(table: FlameTable, node: number): string {
  return table.frames.strings[table.frames.name[table.frame[node] ?? 0] ?? 0] ?? '';
}

function nodeNamed(table: FlameTable, name: string): number {
  let best = -1;
  for (let i = 0; i < table.length; i++) {
    if (nameOf(table, i) === name && (best < 0 || (table.total[i] ?? 0) > (table.total[best] ?? 0))) best = i;
  }
  expect(
    best,
    `a node named ${name} among ${namesByTotal(table).slice(0, 20).join(', ')}`,
  ).toBeGreaterThanOrEqual(0);
  return best;
}

function childOf(table: FlameTable, parent: number, name: string): number {
  for (let i = parent + 1; i < (table.subtreeEnd[parent] ?? 0); i++) {
    if (table.parent[i] === parent && nameOf(table, i) === name) return i;
  }
  throw new Error(`${nameOf(table, parent)} does not call ${name}`);
}

function childNamed(table: FlameTable, parent: string, name: string): number {
  return childOf(table, nodeNamed(table, parent), name);
}

function namesByTotal(table: FlameTable): string[] {
  const order = Array.from({ length: table.length }, (_, i) => i);
  order.sort((a, b) => (table.total[b] ?? 0) - (table.total[a] ?? 0));
  return order.map((node) => nameOf(table, node));
}

/** Share of the total that has a frame of this name somewhere on its stack. */
function shareOfNamed(table: FlameTable, name: string): number {
  let sum = 0;
  for (let i = 0; i < table.length;) {
    if (nameOf(table, i).includes(name)) {
      sum += table.total[i] ?? 0;
      i = table.subtreeEnd[i] ?? i + 1;
    } else i++;
  }
  return sum / (table.total[0] ?? 1);
}
