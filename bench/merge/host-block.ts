import { BlockBuilder, type Block } from '@fleetflame/profile';

const STACK_DEPTH = 24;
const WINDOW_SECONDS = 10;

/** Small and seeded: the same blocks in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

/**
 * Ten seconds of one host, a dataset per process. Hosts run the same services: most of their stacks
 * are equal, labels are not.
 */
export function hostBlock(host: number, processes: number, stacksPerProcess: number): Block {
  const next = random(host + 1);
  const builder = new BlockBuilder();
  for (let process = 0; process < processes; process++) {
    const series = builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 52_631_578, {
      service_name: `service-${process}`,
      host_name: `host-${host}`,
      process_executable_name: `service-${process}`,
    });
    const binary = builder.string(`/opt/service-${process}/bin/server`);
    const mapping = builder.mapping(binary, builder.string(`b1d${process}`), 'native');
    // One tree per service, the same on every host; a host sees most of it.
    const tree = random(1000 + process);
    // Neighbouring stacks leave each other in the upper half of their frames, so six are new.
    const path = [0];
    for (let i = 0; i < stacksPerProcess; i++) {
      path.length = Math.max(1, Math.min(path.length, STACK_DEPTH - Math.floor(tree() * 12)));
      while (path.length <= STACK_DEPTH) {
        const address = 64 * (path.length * 997 + Math.floor(tree() * 40));
        path.push(builder.stack(path.at(-1)!, builder.location(mapping, address, 0, [])));
      }
      const stack = path.at(-1)!;
      if (next() < 0.2) continue;
      const points = next() < 0.3 ? 1 + Math.floor(next() * WINDOW_SECONDS) : 1;
      for (let k = 0; k < points; k++) {
        const second = Math.floor(next() * WINDOW_SECONDS);
        builder.add(
          series,
          stack,
          1_700_000_000_000 + second * 1000,
          52_631_578 * (1 + Math.floor(next() * 3)),
        );
      }
    }
  }
  return builder.build();
}
