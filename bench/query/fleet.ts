/**
 * A made-up fleet whose profiles have the shape of real ones: services with their own code over shared
 * libraries and one kernel, call trees that fan out, a few hot stacks and a long tail of rare ones.
 */
import { BlockBuilder, type Block } from '@fleetflame/profile';

export const PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const PERIOD_NS = 52_631_579;
const SERVICES = 20;
const HOSTS_PER_SERVICE = 50;
/** Stacks that a service has at all; a host shows some of them in one block. */
const STACKS_PER_SERVICE = 4000;
const FUNCTIONS_PER_SERVICE = 3000;
const SHARED_FUNCTIONS = 2000;
const MAX_DEPTH = 64;
/** Frames that a stack has beyond the one it branches off. */
const MAX_OWN_FRAMES = 8;

export const BLOCK_MS = 3_600_000;
export const START_MS = 1_700_000_000_000 - (1_700_000_000_000 % BLOCK_MS);

/** mulberry32: small, fast, seeded. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Stacks of one service as function numbers, outermost first: each extends a part of an earlier one. */
function stacksOf(service: number): Int32Array[] {
  const random = generator(service + 1);
  const stacks: Int32Array[] = [];
  for (let i = 0; i < STACKS_PER_SERVICE; i++) {
    const base = i === 0 ? new Int32Array(0) : stacks[Math.floor(random() ** 2 * i)]!;
    // Most stacks leave another one near its leaf.
    const shared = Math.floor(base.length * (1 - random() ** 3));
    const depth = Math.min(
      MAX_DEPTH,
      shared + 1 + Math.floor(random() * MAX_OWN_FRAMES) + (i === 0 ? 20 : 0),
    );
    const stack = new Int32Array(depth);
    stack.set(base.subarray(0, Math.min(shared, depth)));
    for (let d = shared; d < depth; d++) {
      const inLibrary = random() < 0.3;
      const count = inLibrary ? SHARED_FUNCTIONS : FUNCTIONS_PER_SERVICE;
      stack[d] = Math.floor(random() ** 3 * count) + (inLibrary ? 0 : SHARED_FUNCTIONS);
    }
    stacks.push(stack);
  }
  return stacks;
}

const CODE = Array.from({ length: SERVICES }, (_, service) => stacksOf(service));

/** One hour of the fleet with about so many sample rows, each with one to three points in time. */
export function fleetBlock(hour: number, rows: number): Block {
  const builder = new BlockBuilder();
  const random = generator(hour * 7919 + 17);
  const perHost = Math.max(1, Math.round(rows / (SERVICES * HOSTS_PER_SERVICE)));
  const startMs = START_MS + hour * BLOCK_MS;
  for (let service = 0; service < SERVICES; service++) {
    const rowsOfStacks = internStacks(builder, service);
    for (let host = 0; host < HOSTS_PER_SERVICE; host++) {
      const series = builder.series(PROFILE_TYPE, PERIOD_NS, {
        service_name: `service-${String(service).padStart(2, '0')}`,
        host_name: `host-${service}-${host}`,
        k8s_namespace_name: service % 2 === 0 ? 'production' : 'staging',
      });
      // Distinct stacks in one host's hour: a random start and step walk over all of them.
      const first = Math.floor(random() * STACKS_PER_SERVICE);
      for (let i = 0; i < Math.min(perHost, STACKS_PER_SERVICE); i++) {
        const stack = rowsOfStacks[(first + i * 1009) % STACKS_PER_SERVICE]!;
        const points = 1 + Math.floor(random() * 3);
        for (let p = 0; p < points; p++) {
          const timeMs = startMs + Math.floor(random() * 3600) * 1000;
          builder.add(series, stack, timeMs, PERIOD_NS * (1 + Math.floor(random() ** 8 * 100)));
        }
      }
    }
  }
  return builder.build();
}

function internStacks(builder: BlockBuilder, service: number): Int32Array {
  const binary = builder.mapping(
    builder.string(`/usr/bin/service-${service}`),
    builder.string(`ab${service}0`),
    'native',
  );
  const library = builder.mapping(
    builder.string('/usr/lib/libshared.so.6'),
    builder.string('cd12'),
    'native',
  );
  const location = (fn: number): number => {
    const own = fn >= SHARED_FUNCTIONS;
    const name = own
      ? `service_${service}::module_${fn % 97}::handle_request_${fn}`
      : `shared::library::function_${fn}`;
    const file = own ? `src/service_${service}/module_${fn % 97}.cc` : `lib/part_${fn % 31}.cc`;
    const row = builder.function(builder.string(name), 0, builder.string(file), fn % 500);
    return builder.location(own ? binary : library, 0x1000 + fn * 64, 0, [row, fn % 500]);
  };
  return Int32Array.from(CODE[service]!, (stack) => {
    let row = 0;
    for (const fn of stack) row = builder.stack(row, location(fn));
    return row;
  });
}
