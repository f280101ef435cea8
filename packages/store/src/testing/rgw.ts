/**
 * A real S3 server for tests: Ceph's gateway (Debian's radosgw, ceph-mon, ceph-osd) over one storage
 * daemon that keeps everything in memory, on loopback, in a folder of its own. It is up in about two
 * seconds and dies with the process that started it.
 *
 *   mon (who is there) ◀── osd (memory) ◀── radosgw (S3 on `endpoint`)
 *
 * Stopping and starting the gateway alone loses nothing: objects are the osd's.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3ObjectStoreConfig } from '../objects/s3/s3-config.ts';

const run = promisify(execFile);

/** It takes two seconds; a busy machine may need longer. */
const START_TIMEOUT_MS = 60_000;
const REGION = 'us-east-1';

export class Rgw implements AsyncDisposable {
  readonly endpoint: string;
  readonly credentials = {
    accessKeyId: `test${randomBytes(6).toString('hex')}`,
    secretAccessKey: randomBytes(16).toString('hex'),
  };
  readonly #directory: string;
  readonly #port: number;
  readonly #daemons: ChildProcess[] = [];
  #gateway: ChildProcess | undefined;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  /** Tries again when somebody else took a port that had been free. */
  static async start(attempts = 3): Promise<Rgw> {
    try {
      return await Rgw.#startOnce();
    } catch (error) {
      if (attempts <= 1) throw error;
      return await Rgw.start(attempts - 1);
    }
  }

  static async #startOnce(): Promise<Rgw> {
    const directory = mkdtempSync(join(tmpdir(), 'fleetflame-rgw-'));
    const [monitorPort, port] = await freePorts(2);
    const rgw = new Rgw(directory, port ?? 0);
    try {
      await rgw.#start(monitorPort ?? 0);
    } catch (error) {
      await rgw[Symbol.asyncDispose]();
      throw error;
    }
    return rgw;
  }

  /** A new bucket, as a store is told of it. */
  async createBucket(prefix = ''): Promise<S3ObjectStoreConfig> {
    const bucket = `test-${randomBytes(6).toString('hex')}`;
    const { endpoint, credentials } = this;
    const client = new S3Client({ endpoint, credentials, region: REGION, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    return { engine: 's3', bucket, prefix, endpoint, region: REGION, pathStyle: true, credentials };
  }

  get gatewayPid(): number {
    return this.#gateway?.pid ?? 0;
  }

  /** Of the monitor, and of the daemon that stores: what stands still behind a gateway that lives. */
  get storagePids(): { readonly monitor: number; readonly osd: number } {
    const [monitor, osd] = this.#daemons;
    return { monitor: monitor?.pid ?? 0, osd: osd?.pid ?? 0 };
  }

  /** kill -9 of the gateway: connections are cut, requests underway have an unknown outcome. */
  async killGateway(): Promise<void> {
    const gateway = this.#gateway;
    this.#gateway = undefined;
    if (gateway !== undefined) await kill(gateway);
  }

  /** Resolves when it answers, on the same port as before. */
  async startGateway(): Promise<void> {
    this.#gateway = this.#spawn('radosgw', '-n', 'client.rgw');
    await this.#until('radosgw answers', async () => (await fetch(this.endpoint)).ok);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killGateway();
    await Promise.all(this.#daemons.map(kill));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start(monitorPort: number): Promise<void> {
    const directory = this.#directory;
    for (const name of ['mon', 'osd', 'run', 'log']) mkdirSync(join(directory, name));
    const fsid = randomUUID();
    writeFileSync(join(directory, 'ceph.conf'), configuration(directory, fsid, monitorPort, this.#port));
    writeKeyring(join(directory, 'keyring'));
    const keyring = ['--keyring', join(directory, 'keyring')];
    const map = join(directory, 'monmap');
    const address = `[v2:127.0.0.1:${monitorPort}]`;
    await this.#run('monmaptool', '--create', '--clobber', '--fsid', fsid, '--addv', 'a', address, map);
    await this.#run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, ...keyring);
    this.#daemons.push(this.#spawn('ceph-mon', '-i', 'a'));
    const osd = randomUUID();
    await this.#run('ceph', 'osd', 'create', osd, '0');
    await this.#run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd, ...keyring);
    this.#daemons.push(this.#spawn('ceph-osd', '-i', '0'));
    await this.startGateway();
    const { accessKeyId, secretAccessKey } = this.credentials;
    const keys = ['--access-key', accessKeyId, '--secret-key', secretAccessKey];
    const user = ['--uid', 'test', '--display-name', 'test', ...keys];
    await this.#run('radosgw-admin', '-n', 'client.rgw', 'user', 'create', ...user);
  }

  async #run(program: string, ...args: readonly string[]): Promise<void> {
    await run(program, args, { env: this.#env(), timeout: START_TIMEOUT_MS });
  }

  /** In the foreground; it dies with this process, however that ends. */
  #spawn(program: string, ...args: readonly string[]): ChildProcess {
    return spawn('setpriv', ['--pdeathsig', 'KILL', program, '-f', ...args], {
      env: this.#env(),
      stdio: 'ignore',
    });
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, CEPH_CONF: join(this.#directory, 'ceph.conf') };
  }

  async #until(what: string, good: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + START_TIMEOUT_MS;
    while (!(await good().catch(() => false))) {
      if ((this.#gateway?.exitCode ?? undefined) !== undefined || Date.now() > end)
        throw new Error(`waited in vain until ${what}: ${this.#logs()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #logs(): string {
    return ['ceph-mon.a', 'ceph-osd.0', 'ceph-client.rgw']
      .map((name) => {
        try {
          return readFileSync(join(this.#directory, 'log', `${name}.log`), 'utf8').slice(-2000);
        } catch {
          return `no log of ${name}`;
        }
      })
      .join('\n');
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening');
    const address = server.address();
    if (address !== null && typeof address === 'object') ports.push(address.port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}

/** One key for everybody: ceph's binary form of a secret is type 1, a time, a length, 16 bytes. */
function writeKeyring(path: string): void {
  const secret = Buffer.alloc(28);
  secret.writeUInt16LE(1, 0);
  secret.writeUInt16LE(16, 10);
  randomBytes(16).copy(secret, 12);
  const key = secret.toString('base64');
  const all = ['mon', 'osd', 'mgr'].map((daemon) => `\tcaps ${daemon} = "allow *"\n`).join('');
  const names = ['mon.', 'client.admin', 'osd.0', 'client.rgw'];
  writeFileSync(path, names.map((name) => `[${name}]\n\tkey = ${key}\n${all}`).join(''), { mode: 0o600 });
}

function configuration(directory: string, fsid: string, monitorPort: number, port: number): string {
  const libraries = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return `[global]
fsid = ${fsid}
mon host = v2:127.0.0.1:${monitorPort}
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = ${directory}/keyring
run dir = ${directory}/run
admin socket = ${directory}/run/$name.asok
log file = ${directory}/log/$cluster-$name.log
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
# A vote takes this long, and a start takes some twenty of them: at the default it is up in 13 s.
paxos propose interval = 0.05
paxos min wait = 0.01
mon tick interval = 1
mon osd adjust heartbeat grace = false
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd class dir = /usr/lib/${libraries}/rados-classes
[mon]
mon data = ${directory}/mon
[osd]
osd data = ${directory}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd heartbeat grace = 60
osd memory target = 939524096
[client.rgw]
# Without tcp_nodelay a request takes 45 ms.
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw thread pool size = 64
rgw enable usage log = false
rgw gc max objs = 4
rgw usage max shards = 1
rgw lc max objs = 1
rgw dynamic resharding = false
rgw run sync thread = false
`;
}
