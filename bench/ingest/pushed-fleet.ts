/**
 * pprof CPU profiles as a fleet of Go services pushes them: about 100 stacks of a service's call tree, some
 * 900 functions and locations with names and files, gzip. Services share nothing, hosts of one service nearly
 * all of it, and functions come in the order of the stacks that were drawn, as Go writes them. Everything
 * follows from the seed.
 */
import { BlockBuilder, encodePprof } from '@fleetflame/profile';
import { PROFILE_TYPE, seededRandom } from './synthetic-fleet.ts';

const FUNCTIONS = 900;
const STACKS = 2000;
const WINDOW_MS = 10_000;
const PERIOD_NS = 1e9 / 19;

export interface PushedFile {
  readonly profile: Uint8Array;
  readonly labels: Readonly<Record<string, string>>;
  readonly rows: number;
}

interface Service {
  readonly name: string;
  readonly functions: readonly { readonly name: string; readonly file: string }[];
  /** Functions, root first. */
  readonly stacks: readonly (readonly number[])[];
}

export interface PushedFleetShape {
  readonly seed: number;
  readonly hosts: number;
  readonly servicesPerHost: number;
  readonly windows: number;
  readonly services: number;
}

/** One file per host, service and window, oldest first; the last window ends at `endMs`. */
export function* pushedFleet(shape: PushedFleetShape, endMs: number): Generator<PushedFile> {
  const random = seededRandom(shape.seed);
  const services = Array.from({ length: shape.services }, (_, i) => growService(`svc-${i}`, random));
  for (let window = shape.windows; window > 0; window--) {
    const startMs = endMs - window * WINDOW_MS;
    for (let host = 0; host < shape.hosts; host++) {
      for (let i = 0; i < shape.servicesPerHost; i++) {
        const service = services[(host * 7 + i * 3) % services.length]!;
        yield file(service, `host-${host}`, startMs, random);
      }
    }
  }
}

/** A call tree by random walks, so that stacks share prefixes as real ones do. */
function growService(name: string, random: () => number): Service {
  const functions = Array.from({ length: FUNCTIONS }, (_, i) => ({
    name: `github.com/acme/${name}/pkg${i % 37}.(*Worker).handle${i}`,
    file: `/src/${name}/pkg${i % 37}/file${i % 90}.go`,
  }));
  const nodes: { readonly fn: number; readonly kids: number[] }[] = [{ fn: 0, kids: [] }];
  const stacks = Array.from({ length: STACKS }, () => {
    const path: number[] = [];
    let node = nodes[0]!;
    for (let left = 10 + Math.floor(random() * 30); left > 0; left--) {
      path.push(node.fn);
      const { kids } = node;
      if (kids.length === 0 || random() >= 0.72) {
        kids.push(nodes.push({ fn: Math.floor(random() * FUNCTIONS), kids: [] }) - 1);
        node = nodes[kids.at(-1)!]!;
      } else node = nodes[kids[Math.floor(random() * Math.min(kids.length, 3))]!]!;
    }
    return path;
  });
  return { name, functions, stacks };
}

function file(service: Service, host: string, startMs: number, random: () => number): PushedFile {
  const builder = new BlockBuilder();
  const mapping = builder.mapping(builder.string('/bin/svc'), builder.string('abcdef01'.repeat(5)), 'native');
  const series = builder.series(PROFILE_TYPE, Math.round(PERIOD_NS), {});
  const drawn = new Map<number, number>();
  for (let left = 60 + Math.floor(random() * 200); left > 0; left--) {
    // 1 / rank: a few stacks are in every profile, most in few.
    const stack = Math.min(STACKS - 1, Math.floor(STACKS ** random()) - 1);
    drawn.set(stack, (drawn.get(stack) ?? 0) + 1);
  }
  for (const [rank, count] of drawn) {
    let stack = 0;
    for (const fn of service.stacks[rank]!) {
      const { name, file: source } = service.functions[fn]!;
      const text = builder.string(name);
      const known = builder.function(text, text, builder.string(source), 90);
      stack = builder.stack(stack, builder.location(mapping, 0x40_0000 + fn * 256, 0, [known, 100]));
    }
    builder.add(series, stack, startMs, Math.round(count * PERIOD_NS));
  }
  const range = { fromMs: startMs, toMs: startMs + WINDOW_MS };
  const profile = encodePprof(builder.build(), { profileType: PROFILE_TYPE, ...range });
  return { profile, labels: { service_name: service.name, host_name: host }, rows: drawn.size };
}
