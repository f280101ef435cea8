/**
 * Batches as agents would send them: hosts that run some of the fleet's services, stacks drawn from
 * each service's call tree with a long tail, kernel frames by name at some of the leaves, one second
 * of time resolution. Everything follows from the seed.
 */
import { BlockBuilder, type Block } from '@fleetflame/profile';

export const PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

export interface FleetShape {
  readonly services: number;
  readonly servicesPerHost: number;
  readonly cpusPerHost: number;
  readonly frequencyHz: number;
  readonly windowMs: number;
  /** Distinct stacks of a service; how often each is seen falls off as 1 / rank. */
  readonly stacksPerService: number;
}

export const SHAPE: FleetShape = {
  services: 24,
  servicesPerHost: 8,
  cpusPerHost: 16,
  frequencyHz: 19,
  windowMs: 10_000,
  stacksPerService: 4000,
};

const THREADS = ['main', 'worker', 'gc', 'io'];

/** Flat tree: parent and address of each node; a stack is a node. Negative address: kernel function. */
interface CallTree {
  readonly parent: Int32Array;
  readonly address: Int32Array;
}

export class SyntheticFleet {
  readonly #shape: FleetShape;
  readonly #random: () => number;
  readonly #trees: readonly CallTree[];

  constructor(seed: number, shape: FleetShape = SHAPE) {
    this.#shape = shape;
    this.#random = seededRandom(seed);
    this.#trees = Array.from({ length: shape.services }, () => this.#grow());
  }

  /** One window of one host, every CPU busy; `host` decides which services run there. */
  batch(host: number, startMs: number): Block {
    const { cpusPerHost, frequencyHz, windowMs, services, servicesPerHost } = this.#shape;
    const builder = new BlockBuilder();
    const periodNs = Math.round(1e9 / frequencyHz);
    const kernel = builder.mapping(builder.string('[kernel]'), 0, 'kernel');
    const writers = Array.from({ length: servicesPerHost }, (_, index) =>
      this.#writer(builder, { kernel, periodNs, service: (host * 7 + index * 5) % services, host }),
    );
    const samples = Math.round((cpusPerHost * frequencyHz * windowMs) / 1000);
    for (let i = 0; i < samples; i++) {
      const writer = writers[Math.floor(this.#random() ** 2 * writers.length)]!;
      const timeMs = startMs + Math.floor((this.#random() * windowMs) / 1000) * 1000;
      builder.add(writer.series(this.#random()), writer.stack(this.#rank()), timeMs, periodNs);
    }
    return builder.build();
  }

  get samplesPerBatch(): number {
    const { cpusPerHost, frequencyHz, windowMs } = this.#shape;
    return Math.round((cpusPerHost * frequencyHz * windowMs) / 1000);
  }

  /** 1 / rank: half of all samples fall on the square root of all stacks. */
  #rank(): number {
    return Math.min(
      this.#shape.stacksPerService - 1,
      Math.floor(this.#shape.stacksPerService ** this.#random()) - 1,
    );
  }

  #writer(builder: BlockBuilder, where: Place): ServiceWriter {
    return new ServiceWriter(builder, this.#trees[where.service]!, where);
  }

  #grow(): CallTree {
    const nodes = this.#shape.stacksPerService;
    const parent = new Int32Array(nodes);
    const address = new Int32Array(nodes);
    for (let node = 0; node < nodes; node++) {
      // Mostly deep: a new node hangs below one of the last hundred.
      parent[node] = node === 0 ? -1 : Math.max(0, node - 1 - Math.floor(this.#random() ** 2 * 100));
      const leaf = this.#random() < 0.15;
      address[node] = leaf ? -1 - Math.floor(this.#random() * 600) : Math.floor(this.#random() * 2 ** 22);
    }
    return { parent, address };
  }
}

interface Place {
  /** Mapping of the kernel. */
  readonly kernel: number;
  readonly periodNs: number;
  readonly service: number;
  readonly host: number;
}

class ServiceWriter {
  readonly #builder: BlockBuilder;
  readonly #kernel: number;
  readonly #mapping: number;
  readonly #tree: CallTree;
  readonly #series: readonly number[];
  readonly #stacks = new Map<number, number>();

  constructor(builder: BlockBuilder, tree: CallTree, { kernel, service, host, periodNs }: Place) {
    this.#builder = builder;
    this.#kernel = kernel;
    this.#tree = tree;
    const buildId = (0x1234_5678 + service).toString(16).repeat(5);
    const file = builder.string(`/usr/local/bin/service-${service}`);
    this.#mapping = builder.mapping(file, builder.string(buildId), 'native');
    const container = (service * 1000 + host).toString(16).padStart(8, '0').repeat(8);
    this.#series = THREADS.map((thread) =>
      builder.series(PROFILE_TYPE, periodNs, {
        service_name: `service-${service}`,
        host_name: `host-${host}.example.internal`,
        process_executable_name: `service-${service}`,
        thread_name: thread,
        container_id: container,
      }),
    );
  }

  series(random: number): number {
    return this.#series[Math.floor(random ** 2 * THREADS.length)]!;
  }

  stack(node: number): number {
    const known = this.#stacks.get(node);
    if (known !== undefined) return known;
    const parent = this.#tree.parent[node]!;
    const below = parent < 0 ? 0 : this.stack(parent);
    const stack = this.#builder.stack(below, this.#location(this.#tree.address[node]!));
    this.#stacks.set(node, stack);
    return stack;
  }

  #location(address: number): number {
    const builder = this.#builder;
    if (address >= 0) return builder.location(this.#mapping, 0x40_0000 + address, 0, []);
    const name = builder.string(`kernel_function_${-address}`);
    return builder.location(this.#kernel, 0x8000_0000 - address * 64, 0xffff_ffff, [
      builder.function(name, name, 0, 0),
      0,
    ]);
  }
}

export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
