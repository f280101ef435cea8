/**
 * The cluster of docs/deployment.md as processes of this checkout, on a real S3 server, which they
 * reach through a proxy that makes faults when it is told to, and a real PostgreSQL. Its file and its commands are taken from the document; only ports, endpoint, bucket,
 * database and the time to drain are put in.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import type { CatalogConfig, S3ObjectStoreConfig } from '@fleetflame/store';
import { FaultyS3, LossyProxy, PostgresServer, Rgw } from '@fleetflame/store/testing';
import { endProcess, MAIN, ROOT, startServer } from './server-process.ts';
import type { TestHost, TestNetwork } from './test-network.ts';

const DOCUMENT = join(ROOT, 'docs/deployment.md');

/** One process of a role; it keeps its port when it is started again. */
export class ClusterProcess {
  readonly role: string;
  readonly url: string;
  readonly ingest: Client<typeof IngestService>;
  readonly query: Client<typeof QueryService>;
  readonly symbols: Client<typeof SymbolService>;
  readonly #host: TestHost | undefined;
  readonly #arguments: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess;
  #log: () => string;

  private constructor(
    role: string,
    started: { readonly child: ChildProcess; readonly url: string; readonly log: () => string },
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
    host: TestHost | undefined,
  ) {
    this.role = role;
    this.#host = host;
    this.url = started.url;
    this.#child = started.child;
    this.#log = started.log;
    this.#arguments = args;
    this.#environment = environment;
    const transport = createConnectTransport({
      baseUrl: this.url,
      httpVersion: '1.1',
      defaultTimeoutMs: 60_000,
    });
    this.ingest = createClient(IngestService, transport);
    this.query = createClient(QueryService, transport);
    this.symbols = createClient(SymbolService, transport);
  }

  /** @param host default: this one, on loopback */
  static async start(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
    host?: TestHost,
  ): Promise<ClusterProcess> {
    const [role = ''] = args;
    const command = commandOn(host, args, `${host?.address('clients') ?? '127.0.0.1'}:0`);
    return new ClusterProcess(role, await startServer(role, command, environment), args, environment, host);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The program's arguments, for another run of it. */
  get command(): readonly string[] {
    return [MAIN, ...this.#arguments];
  }

  get log(): string {
    return this.#log();
  }

  /** SIGTERM; the exit code when it has drained. */
  async stop(): Promise<number | null> {
    return await endProcess(this.#child, 'SIGTERM');
  }

  async kill(): Promise<void> {
    await endProcess(this.#child, 'SIGKILL');
  }

  /** After a stop or a kill. */
  async startAgain(): Promise<void> {
    const { host } = new URL(this.url);
    const command = commandOn(this.#host, this.#arguments, host);
    const { child, log } = await startServer(this.role, command, this.#environment);
    this.#child = child;
    this.#log = log;
  }

  /** Undefined: it runs where the test does. */
  get host(): TestHost | undefined {
    return this.#host;
  }

  async get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`${this.url}${path}`);
    return { status: response.status, text: await response.text() };
  }
}

function commandOn(host: TestHost | undefined, args: readonly string[], listen: string): readonly string[] {
  return [...(host?.prefix ?? []), process.execPath, MAIN, ...args, '--listen', listen];
}

/** The networks between one process and what it stands on. */
export interface Wires {
  readonly s3: LossyProxy;
  readonly postgres: LossyProxy;
}

export interface ClusterOptions {
  /** Decides which requests meet faults, once `s3` injects some. */
  readonly seed?: number;
  /** Roles to start besides those of the example. */
  readonly more?: readonly string[];
  /** Each process gets wires of its own, and is on a host of its own in this network. */
  readonly network?: TestNetwork;
  /** Of every process, besides how to get in. */
  readonly settings?: Readonly<Record<string, string>>;
}

export class Cluster implements AsyncDisposable {
  readonly rgw: Rgw;
  /** Between the processes and `rgw`. */
  readonly s3: FaultyS3;
  readonly postgres: PostgresServer;
  readonly processes: ClusterProcess[] = [];
  /** Empty unless it is wired. */
  readonly wires = new Map<ClusterProcess, Wires>();
  /** Of this cluster alone; removed with it. */
  readonly directory: string;
  readonly #settings: Readonly<Record<string, string>>;
  #catalogUrl = '';
  #bucket: S3ObjectStoreConfig | undefined;

  private constructor(
    rgw: Rgw,
    s3: FaultyS3,
    postgres: PostgresServer,
    directory: string,
    settings: Readonly<Record<string, string>>,
  ) {
    this.#settings = settings;
    this.rgw = rgw;
    this.s3 = s3;
    this.postgres = postgres;
    this.directory = directory;
  }

  static async start({ seed = 1, more = [], network, settings = {} }: ClusterOptions = {}): Promise<Cluster> {
    const directory = await mkdtemp(join(tmpdir(), 'fleetflame-cluster-'));
    const [rgw, postgres] = await Promise.all([Rgw.start(), PostgresServer.start()]);
    const cluster = new Cluster(rgw, await FaultyS3.start(rgw.endpoint, seed), postgres, directory, settings);
    try {
      await cluster.#start(more, network);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** Flags that say where the cluster's store is and how to get in. */
  get shared(): readonly string[] {
    return ['--config', join(this.directory, 'cluster.yaml')];
  }

  /** What every process needs in its environment. */
  get environment(): Readonly<Record<string, string>> {
    const { accessKeyId, secretAccessKey } = this.rgw.credentials;
    return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, ...this.#settings };
  }

  /** Where objects and catalog are, without a wire in between. */
  get place(): { readonly objects: S3ObjectStoreConfig; readonly catalog: CatalogConfig } {
    const catalog = { engine: 'postgres', url: this.#catalogUrl } as const;
    if (this.#bucket === undefined) throw new Error('the cluster has not started');
    return { objects: { ...this.#bucket, prefix: 'eu-1/' }, catalog };
  }

  /** Of the database, without a wire in between. */
  get catalogUrl(): string {
    return this.#catalogUrl;
  }

  role(role: string): ClusterProcess[] {
    return this.processes.filter((process) => process.role === role);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map(async (process) => await process.kill()));
    const wires = [...this.wires.values()].flatMap(({ s3, postgres }) => [s3, postgres]);
    await Promise.all([this.s3, ...wires].map(async (proxy) => await proxy[Symbol.asyncDispose]()));
    await Promise.all([this.rgw[Symbol.asyncDispose](), this.postgres[Symbol.asyncDispose]()]);
    await rm(this.directory, { recursive: true, force: true });
  }

  async #start(more: readonly string[], network: TestNetwork | undefined): Promise<void> {
    const document = await readFile(DOCUMENT, 'utf8');
    this.#bucket = await this.rgw.createBucket();
    const { bucket } = this.#bucket;
    this.#catalogUrl = await this.postgres.createDatabase();
    const path = join(this.directory, 'cluster.yaml');
    const replacements: readonly (readonly [string, string])[] = [
      ['s3://fleetflame/', `s3://${bucket}/`],
      ['http://127.0.0.1:7480', this.s3.endpoint],
      ['postgres://fleetflame:secret@127.0.0.1:5432/fleetflame', this.#catalogUrl],
      ['drain: 5s', 'drain: 100ms'],
    ];
    let yaml = fence(document, 'yaml');
    for (const [from, to] of replacements) {
      if (!yaml.includes(from)) throw new Error(`the example no longer has ${from}`);
      yaml = yaml.replace(from, to);
    }
    await writeFile(path, yaml);
    const commands = fence(document, 'sh').trim().split('\n');
    const roles = commands.map((command) => {
      const match = /^\.\/fleetflame (\w+) --config cluster\.yaml --listen [\d.:]+$/.exec(command);
      if (match?.[1] === undefined) throw new Error(`not a role of the example: ${command}`);
      return match[1];
    });
    const started = [...roles, ...more].map(async (role) => await this.#startProcess(role, network));
    for (const process of await Promise.all(started)) this.processes.push(process);
  }

  async #startProcess(role: string, network: TestNetwork | undefined): Promise<ClusterProcess> {
    if (network === undefined) return await ClusterProcess.start([role, ...this.shared], this.environment);
    const s3 = await LossyProxy.start(Number(new URL(this.s3.endpoint).port), network.address('s3'));
    const postgres = await LossyProxy.start(this.postgres.port, network.address('postgres'));
    const catalog = new URL(this.#catalogUrl);
    catalog.hostname = network.address('postgres');
    catalog.port = String(postgres.port);
    const process = await ClusterProcess.start(
      [role, ...this.shared],
      {
        ...this.environment,
        FLEETFLAME_OBJECTS_ENDPOINT: `http://${network.address('s3')}:${s3.port}`,
        FLEETFLAME_CATALOG_URL: catalog.href,
      },
      await network.addHost(),
    );
    this.wires.set(process, { s3, postgres });
    return process;
  }
}

/** The first block of a language behind the heading of the example. */
function fence(document: string, language: string): string {
  const example = document.slice(document.indexOf('\n## A cluster\n'));
  const match = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(example);
  if (match?.[1] === undefined) throw new Error(`docs/deployment.md has no ${language} in its example`);
  return match[1];
}
