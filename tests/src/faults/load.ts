/** The fleet that writes while things go wrong: sixteen hosts of four roles, with clocks minutes apart. */
import { SimulatedFleet } from '@fleetflame/bench/fleet';
import { BlockBuilder, type Block } from '@fleetflame/profile';
import { SeededRandom } from '@fleetflame/store/testing';

export const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
export const HOSTS = 16;
/** Between the batches of a host: a few dozen of them fill hours, and so many windows of compaction. */
export const WINDOW_MS = 600_000;
/** Ten minutes between the first clock and the last: what ingest takes at most for times ahead. */
export const SKEW_MS = 300_000;

const SERVICES = ['frontend', 'checkout', 'postgres', 'kubelet'] as const;
const THREADS = ['main', 'worker', 'gc'] as const;
const PERIOD = 52_631_578;
const BATCH_MS = 10_000;
const BATCHES = 6;
const STACKS = 40;
const DEPTH = 18;

export function createFleet(seed: number): SimulatedFleet {
  const random = new SeededRandom(seed);
  const batches = Array.from({ length: BATCHES }, () => createBatch(random));
  return new SimulatedFleet(batches, {
    seed,
    hosts: HOSTS,
    roles: 4,
    windowMs: WINDOW_MS,
    skewMs: SKEW_MS,
    restarts: 0.04,
  });
}

/** Ten seconds of one host: every service has stacks that share their outer frames, as programs' stacks do. */
function createBatch(random: SeededRandom): Block {
  const builder = new BlockBuilder();
  for (const service of SERVICES) {
    const series = THREADS.map((thread) =>
      builder.series(CPU, PERIOD, { service_name: service, thread_name: `${service}-${thread}` }),
    );
    for (let i = 0; i < STACKS; i++) {
      let stack = 0;
      let path = service;
      for (let depth = 0; depth < 3 + random.below(DEPTH); depth++) {
        path += `/${random.below(3)}`;
        const name = builder.string(`${path.slice(0, 60)}()`);
        const fn = builder.function(name, name, builder.string(`src/${service}.c`), 10 * depth);
        stack = builder.stack(stack, builder.location(0, 0, 0, [fn, 10 * depth + random.below(8)]));
      }
      const thread = series[random.below(series.length)] ?? 0;
      for (let sample = random.below(4); sample >= 0; sample--)
        builder.add(thread, stack, random.below(BATCH_MS), PERIOD * (1 + random.below(3)));
    }
  }
  return builder.build();
}
