/**
 * Hosts with cables that can be pulled: each host is a network namespace with one cable to each of three switches
 * (bridges) in the namespace of the test, which must be one that the test made itself and has the addresses .1.
 *
 *   namespace of the test                        namespace of a host
 *     s3        198.18.1.1  ──┬── cable ──────────  s3        198.18.1.N
 *     postgres  198.18.2.1  ──┼── cable ──────────  postgres  198.18.2.N
 *     clients   198.18.3.1  ──┴── cable ──────────  clients   198.18.3.N
 *
 * What is sent through a pulled cable is gone, and nobody is told. All of it goes with the last process in it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

export const SEGMENTS = ['s3', 'postgres', 'clients'] as const;
export type Segment = (typeof SEGMENTS)[number];

/** Set for what runs in a namespace of its own: nothing is made in the machine's. */
const OWN_NETWORK = 'TEST_OWN_NETWORK';

/** A program and its arguments, to run them in a new network namespace; it finds `hasOwnNetwork()`. */
export function inOwnNetwork(command: readonly string[]): readonly string[] {
  return ['unshare', '--net', 'env', `${OWN_NETWORK}=1`, ...command];
}

export function hasOwnNetwork(): boolean {
  return process.env[OWN_NETWORK] === '1';
}

export class TestHost {
  readonly #number: number;
  readonly #holder: ChildProcess;

  constructor(number: number, holder: ChildProcess) {
    this.#number = number;
    this.#holder = holder;
  }

  /** What runs a command on this host. */
  get prefix(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`, '--'];
  }

  address(segment: Segment): string {
    return addressOf(segment, this.#number);
  }

  /** Both ends lose what is sent; neither is told. */
  pull(segment: Segment): void {
    ip(`link set ${cableOf(segment, this.#number)} down`);
  }

  plug(segment: Segment): void {
    ip(`link set ${cableOf(segment, this.#number)} up`);
  }
}

export class TestNetwork implements AsyncDisposable {
  readonly #holders: ChildProcess[] = [];

  private constructor() {
    const bridges = SEGMENTS.map(
      (segment) =>
        `link add ${segment} type bridge
         address add ${addressOf(segment, 1)}/24 dev ${segment}
         link set ${segment} up`,
    );
    ip(['link set lo up', ...bridges].join('\n'));
  }

  /** Throws when this process is in the machine's own network. */
  static create(): TestNetwork {
    if (!hasOwnNetwork())
      throw new Error('a test network is only made in a namespace of its own: see inOwnNetwork');
    return new TestNetwork();
  }

  /** The test's own address on a segment. */
  address(segment: Segment): string {
    return addressOf(segment, 1);
  }

  async addHost(): Promise<TestHost> {
    const number = this.#holders.length + 2;
    // It ends when its input does, that is with us.
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo; read -r _'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#holders.push(holder);
    await once(holder.stdout, 'data');
    const host = new TestHost(number, holder);
    for (const segment of SEGMENTS) {
      const cable = cableOf(segment, number);
      ip(`link add ${cable} type veth peer name ${segment} netns ${holder.pid}
          link set ${cable} master ${segment}
          link set ${cable} up`);
    }
    const inside = SEGMENTS.map(
      (segment) => `address add ${host.address(segment)}/24 dev ${segment}\nlink set ${segment} up`,
    );
    ip(['link set lo up', ...inside].join('\n'), host.prefix);
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const holder of this.#holders.splice(0)) {
      const ended = once(holder, 'exit');
      holder.stdin?.end();
      await ended;
    }
    ip(SEGMENTS.map((segment) => `link delete ${segment}`).join('\n'));
  }
}

function addressOf(segment: Segment, number: number): string {
  return `198.18.${SEGMENTS.indexOf(segment) + 1}.${number}`;
}

/** At most 15 letters. */
function cableOf(segment: Segment, number: number): string {
  return `${segment}-${number}`;
}

/** Lines of ip(8), on this host or another. */
function ip(lines: string, prefix: readonly string[] = []): void {
  const [program, ...args] = [...prefix, 'ip', '-batch', '-'];
  execFileSync(program, args, { input: `${lines}\n`, stdio: ['pipe', 'inherit', 'inherit'] });
}
