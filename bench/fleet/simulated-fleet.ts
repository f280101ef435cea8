/**
 * A fleet made of the batches of one real host. Each simulated host runs the programs of one role: the
 * services of the captured batches under names of that role, with labels, a clock and restarts of its own.
 * Stacks, binaries and values are the captured ones, so that a batch costs what a real one costs.
 *
 *   host h ── role h mod R ──▶ service "postgres-2" = captured "postgres" of role 2
 *          ── clock: off by up to skewMs, its own for good
 *          ── restarts: a new agent_id, a new pod name; what its agent had not got acked is lost or not
 */
import { encodeBlock, mergeBlocks, SERVICE_NAME, StringTable, type Block } from '@fleetflame/profile';

export interface FleetShape {
  readonly seed: number;
  readonly hosts: number;
  /** Kinds of hosts; the number of services is that of the captured batches times this. */
  readonly roles: number;
  /** Length of a batch, ms. */
  readonly windowMs: number;
  /** Clocks of hosts are off by up to so many ms, either way. */
  readonly skewMs: number;
  /** Chance that a host's agent starts anew before a window. */
  readonly restarts: number;
}

/** What a batch adds: `value` of `service` (an index of SimulatedFleet.services) in a minute. */
export interface BatchSum {
  readonly service: number;
  /** Unix ms of the minute's start. */
  readonly minuteMs: number;
  readonly value: number;
}

export interface SimulatedBatch {
  readonly host: number;
  readonly block: Uint8Array;
  readonly rows: number;
  /** Samples behind the rows: values divided by the period. */
  readonly samples: number;
  readonly sums: readonly BatchSum[];
}

const MINUTE_MS = 60_000;
const HOST_NAME = 'host_name';
const POD_NAME = 'k8s_pod_name';

interface Captured {
  readonly block: Block;
  /** Of each series: index of its service among the captured services. */
  readonly serviceOf: Uint32Array;
}

export class SimulatedFleet {
  readonly shape: FleetShape;
  /** By index. */
  readonly services: readonly string[];
  readonly #captured: readonly Captured[];
  readonly #bases: readonly string[];

  /** `captured`: batches of one profile type. */
  constructor(captured: readonly Block[], shape: FleetShape) {
    this.shape = shape;
    const bases = new Map<string, number>();
    this.#captured = captured.map((block) => ({ block, serviceOf: servicesOf(block, bases) }));
    this.#bases = [...bases.keys()];
    this.services = Array.from({ length: shape.roles }, (_, role) =>
      this.#bases.map((base) => `${base}-${role}`),
    ).flat();
  }

  hostName(host: number): string {
    return `host-${String(host).padStart(5, '0')}`;
  }

  /** Services per role; a host's services are `(host % roles) * perRole` and the following ones. */
  get servicesPerRole(): number {
    return this.#bases.length;
  }

  /** Whether the agent of a host starts anew before its window. The same for the same seed. */
  restartsBefore(host: number, window: number): boolean {
    return randomOf(this.shape.seed, host, window, 1) < this.shape.restarts;
  }

  /** The batch of one host for the window that starts at `startMs` by a true clock. */
  batch(host: number, generation: number, startMs: number): SimulatedBatch {
    const captured = this.#pick(host, startMs);
    const skewedMs = startMs + this.#skew(host);
    const block = mergeBlocks([this.#relabel(captured, host, generation, skewedMs)]);
    return {
      host,
      block: encodeBlock(block),
      rows: block.samples.length,
      samples: countSamples(block),
      sums: this.#sums(captured, host, skewedMs),
    };
  }

  /** What the batches of several hosts are together, as a segment has them. */
  segment(hosts: Iterable<number>, generation: number, startMs: number): Block {
    const blocks: Block[] = [];
    for (const host of hosts)
      blocks.push(this.#relabel(this.#pick(host, startMs), host, generation, startMs + this.#skew(host)));
    return mergeBlocks(blocks);
  }

  #pick(host: number, startMs: number): Captured {
    const { seed, windowMs } = this.shape;
    const pick = randomOf(seed, host, Math.floor(startMs / windowMs), 2);
    const captured = this.#captured[Math.floor(pick * this.#captured.length)];
    if (captured === undefined) throw new Error('there are no captured batches');
    return captured;
  }

  #skew(host: number): number {
    const { seed, skewMs } = this.shape;
    return Math.round((randomOf(seed, host, 0, 3) * 2 - 1) * skewMs);
  }

  #relabel({ block, serviceOf }: Captured, host: number, generation: number, startMs: number): Block {
    const role = host % this.shape.roles;
    const strings = [...block.strings];
    const string = (text: string): number => strings.push(text) - 1;
    const serviceStrings = this.#bases.map((_, base) =>
      string(this.services[role * this.#bases.length + base] ?? ''),
    );
    const hostString = string(this.hostName(host));
    const podString = string(`${this.hostName(host)}-${generation}`);
    const { series } = block;
    const rows: { name: string; value: number }[][] = [];
    for (let row = 0; row < series.length; row++) {
      const labels = [
        { name: SERVICE_NAME, value: serviceStrings[serviceOf[row]!]! },
        { name: HOST_NAME, value: hostString },
        { name: POD_NAME, value: podString },
      ];
      for (let at = series.labelStart[row]!; at < series.labelStart[row + 1]!; at++) {
        const name = block.strings.at(series.labelName[at]!);
        if (name !== SERVICE_NAME && name !== HOST_NAME && name !== POD_NAME) {
          labels.push({ name, value: series.labelValue[at]! });
        }
      }
      // Names are ASCII: the order of UTF-16 units is that of code points.
      rows.push(labels.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
    }
    const labels = rows.flat();
    const names = new Map<string, number>();
    for (const { name } of labels) if (!names.has(name)) names.set(name, string(name));
    const labelStart = new Uint32Array(series.length + 1);
    for (const [row, { length }] of rows.entries()) labelStart[row + 1] = labelStart[row]! + length;
    return {
      ...block,
      timeStartMs: startMs,
      timeEndMs: startMs + (block.timeEndMs - block.timeStartMs),
      strings: StringTable.of(strings),
      series: {
        ...series,
        labelStart,
        labelName: Uint32Array.from(labels, ({ name }) => names.get(name) ?? 0),
        labelValue: Uint32Array.from(labels, ({ value }) => value),
      },
    };
  }

  #sums({ block, serviceOf }: Captured, host: number, startMs: number): BatchSum[] {
    const first = (host % this.shape.roles) * this.#bases.length;
    const { samples } = block;
    const minutes = new Map<number, Float64Array>();
    for (let row = 0; row < samples.length; row++) {
      const service = serviceOf[samples.series[row]!]!;
      for (let point = samples.pointStart[row]!; point < samples.pointStart[row + 1]!; point++) {
        const timeMs = startMs + samples.time[point]!;
        const minuteMs = timeMs - (timeMs % MINUTE_MS);
        let values = minutes.get(minuteMs);
        if (values === undefined) minutes.set(minuteMs, (values = new Float64Array(this.#bases.length)));
        values[service] = values[service]! + samples.value[point]!;
      }
    }
    const sums: BatchSum[] = [];
    for (const [minuteMs, values] of minutes) {
      for (const [service, value] of values.entries()) {
        if (value !== 0) sums.push({ service: first + service, minuteMs, value });
      }
    }
    return sums;
  }
}

/** Gives every service of a block an index; those without a name are "unnamed". */
function servicesOf(block: Block, bases: Map<string, number>): Uint32Array {
  const { series, strings } = block;
  const services = new Uint32Array(series.length);
  for (let row = 0; row < series.length; row++) {
    let name = 'unnamed';
    for (let at = series.labelStart[row]!; at < series.labelStart[row + 1]!; at++) {
      if (strings.at(series.labelName[at]!) === SERVICE_NAME) name = strings.at(series.labelValue[at]!);
    }
    let index = bases.get(name);
    if (index === undefined) bases.set(name, (index = bases.size));
    services[row] = index;
  }
  return services;
}

/** Samples behind the rows: values divided by the period. */
export function countSamples({ samples, series }: Block): number {
  let count = 0;
  for (let row = 0; row < samples.length; row++) {
    const period = series.period[samples.series[row]!]!;
    count += period === 0 ? 1 : Math.round(samples.total[row]! / period);
  }
  return count;
}

/** In [0, 1); depends on its arguments only. Steps of murmur3's mixer. */
function randomOf(...words: readonly number[]): number {
  let hash = 0x9e37_79b9;
  for (const word of words) {
    for (const half of [word >>> 0, Math.floor(word / 2 ** 32) >>> 0]) {
      hash = Math.imul(hash ^ half, 0x85eb_ca6b);
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
      hash ^= hash >>> 16;
    }
  }
  return (hash >>> 0) / 2 ** 32;
}
