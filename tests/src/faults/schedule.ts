/**
 * What goes wrong, and when: a pure function of a seed. Times are those of the plan; on a slow machine a
 * process takes longer to start, and then the next fault of the same target is late, never early.
 */
import { SEGMENTS, type Segment } from '../support/test-network.ts';
import { CUTS, S3_FAULTS, SeededRandom, type Cut, type S3Fault } from '@fleetflame/store/testing';

/** Processes of each role: those of docs/deployment.md, and one more compactor. */
export const ROLES = { ingest: 2, query: 2, compactor: 2, symbolizer: 1 } as const;
export const MORE_ROLES = ['compactor'] as const;

/** One process: the number of a role's. */
export interface Place {
  readonly role: string;
  readonly number: number;
}

export type Fault =
  /** kill -9, and started again at the end. */
  | { readonly kind: 'kill'; readonly place: Place }
  /** SIGSTOP, and SIGCONT at the end. */
  | { readonly kind: 'stop'; readonly place: Place }
  | { readonly kind: 'cut'; readonly place: Place; readonly to: 'postgres' | 's3'; readonly how: Cut }
  /** The cable of its host to one network is pulled: packets vanish both ways, also those of new connections. */
  | { readonly kind: 'pull'; readonly place: Place; readonly from: Segment }
  /** The connection that commits next is cut: before PostgreSQL hears of it, or before its answer arrives. */
  | { readonly kind: 'lose commit'; readonly place: Place; readonly loses: 'question' | 'answer' }
  | { readonly kind: 'kill postgres' | 'kill backend' | 'stop postgres' | 'expire leases' }
  | { readonly kind: 'kill gateway' | 'stop gateway' | 'stop osd' | 'stop monitor' }
  | {
      readonly kind: 's3';
      readonly share: number;
      readonly faults: readonly S3Fault[];
      readonly lateMs: number;
    };

export interface Step {
  /** From the start of the load. */
  readonly atMs: number;
  readonly forMs: number;
  readonly fault: Fault;
}

export interface Schedule {
  readonly seed: number;
  /** By time. */
  readonly steps: readonly Step[];
}

export interface ScheduleShape {
  /** Faults begin within it. */
  readonly lengthMs: number;
  /** The longest fault; most are far shorter. */
  readonly longestMs: number;
}

/** A fault begins every so often on average. */
const STEP_MS = 1000;
const SHORTEST_MS = 200;
/** Longer than some attempts of the S3 client (5 s), shorter than others. */
const LATE_MS = [100, 500, 2000, 6000] as const;

/** A kind of fault as often as its weight says. */
const KINDS: readonly (readonly [weight: number, choose: (random: SeededRandom) => Fault])[] = [
  [5, (random) => ({ kind: 'kill', place: placeOf(random) })],
  [4, (random) => ({ kind: 'stop', place: placeOf(random) })],
  [
    5,
    (random) => ({
      kind: 'cut',
      place: storing(random),
      to: oneOf(random, TARGETS),
      how: oneOf(random, CUTS),
    }),
  ],
  [5, choosePull],
  [4, (random) => ({ kind: 'lose commit', place: writing(random), loses: oneOf(random, LOSSES) })],
  [4, chooseS3],
  [1, () => ({ kind: 'kill postgres' })],
  [1, () => ({ kind: 'kill backend' })],
  [1, () => ({ kind: 'stop postgres' })],
  [2, () => ({ kind: 'expire leases' })],
  [1, () => ({ kind: 'kill gateway' })],
  [1, () => ({ kind: 'stop gateway' })],
  [1, () => ({ kind: 'stop osd' })],
  [0.5, () => ({ kind: 'stop monitor' })],
];
const TARGETS = ['postgres', 's3'] as const;
const LOSSES = ['question', 'answer'] as const;

export function createSchedule(seed: number, { lengthMs, longestMs }: ScheduleShape): Schedule {
  const random = new SeededRandom(seed);
  const steps: Step[] = [];
  for (let i = 0; i < lengthMs / STEP_MS; i++) {
    const atMs = random.below(lengthMs);
    // Cubed: half of the faults are shorter than an eighth of the longest.
    const forMs = SHORTEST_MS + Math.floor(random.next() ** 3 * (longestMs - SHORTEST_MS));
    steps.push({ atMs, forMs, fault: chooseFault(random) });
  }
  return { seed, steps: steps.sort((a, b) => a.atMs - b.atMs) };
}

/** Faults of one target happen one after the other. */
export function targetOf(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
    case 'stop':
      return nameOf(fault.place);
    case 'cut':
      return `${nameOf(fault.place)} to ${fault.to}`;
    case 'pull':
      return `${nameOf(fault.place)} from ${fault.from}`;
    case 'lose commit':
      return `${nameOf(fault.place)} to postgres`;
    case 's3':
      return 's3';
    case 'kill gateway':
    case 'stop gateway':
      return 'gateway';
    case 'stop osd':
    case 'stop monitor':
      return fault.kind.slice('stop '.length);
    default:
      return 'postgres';
  }
}

export function describeSchedule({ steps }: Schedule): string {
  return steps.map(describeStep).join('\n');
}

function describeStep({ atMs, forMs, fault }: Step): string {
  const at = `${(atMs / 1000).toFixed(1).padStart(5)} s  ${(forMs / 1000).toFixed(1).padStart(4)} s  `;
  switch (fault.kind) {
    case 'kill':
    case 'stop':
      return `${at}${fault.kind} ${nameOf(fault.place)}`;
    case 'cut':
      return `${at}${fault.how} ${targetOf(fault)}`;
    case 'pull':
      return `${at}pull ${targetOf(fault)}`;
    case 'lose commit':
      return `${at}lose the ${fault.loses} of a commit, ${targetOf(fault)}`;
    case 's3':
      return `${at}${Math.round(fault.share * 100)} % of requests to S3 ${fault.faults.join(', ')} (late by ${fault.lateMs} ms)`;
    default:
      return `${at}${fault.kind}`;
  }
}

function nameOf({ role, number }: Place): string {
  return `${role} ${number}`;
}

function chooseFault(random: SeededRandom): Fault {
  let rest = random.next() * KINDS.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, choose] of KINDS) {
    rest -= weight;
    if (rest < 0) return choose(random);
  }
  throw new Error('the weights have no sum');
}

/** Of every process, from whatever it talks to. */
function choosePull(random: SeededRandom): Fault {
  const place = placeOf(random);
  const from = SEGMENTS.filter(
    (segment) =>
      (segment !== 'postgres' || place.role !== 'symbolizer') &&
      (segment !== 'clients' || place.role !== 'compactor'),
  );
  return { kind: 'pull', place, from: oneOf(random, from) };
}

function chooseS3(random: SeededRandom): Fault {
  const all: readonly S3Fault[] = [...S3_FAULTS, 'bent'];
  const faults = all.filter(() => random.next() < 0.5);
  return {
    kind: 's3',
    share: 0.05 + random.next() * 0.45,
    faults: faults.length === 0 ? all : faults,
    lateMs: oneOf(random, LATE_MS),
  };
}

function placeOf(random: SeededRandom): Place {
  return oneOf(random, PLACES);
}

function storing(random: SeededRandom): Place {
  return oneOf(random, STORING);
}

function writing(random: SeededRandom): Place {
  return oneOf(random, WRITING);
}

const PLACES: readonly Place[] = Object.entries(ROLES).flatMap(([role, count]) =>
  Array.from({ length: count }, (_, number) => ({ role, number })),
);
const STORING = PLACES.filter(({ role }) => role !== 'symbolizer');
const WRITING = PLACES.filter(({ role }) => role === 'ingest' || role === 'compactor');

function oneOf<T>(random: SeededRandom, choices: readonly T[]): T {
  const choice = choices[random.below(choices.length)];
  if (choice === undefined) throw new Error('nothing to choose from');
  return choice;
}
