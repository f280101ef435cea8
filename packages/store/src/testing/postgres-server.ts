/**
 * A real PostgreSQL for tests, from Debian's package: a cluster of its own in a temporary directory,
 * on a free port of 127.0.0.1, gone at the end of its scope or with the process that started it.
 *
 *   await using postgres = await PostgresServer.start();
 *   const catalog = await openCatalog({ engine: 'postgres', url: await postgres.createDatabase() });
 *
 * It can be killed and started again with its data, or stopped in its tracks and continued.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

const DEBIAN = '/usr/lib/postgresql';
const USER = 'fleetflame';
/** A start takes a tenth of a second, after a kill -9 a little longer; a loaded machine is slow. */
const START_MS = 30_000;
/** Small, because many run at once; no fsync, because no test cuts the power. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  max_connections: '100',
  shared_buffers: '16MB',
  autovacuum: 'off',
  logging_collector: 'off',
};

export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  #process: ChildProcess | undefined;
  #log = '';

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  static async start(): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'fleetflame-postgres-'));
    try {
      const owner = ownerIds();
      if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
      const flags = ['-D', join(directory, 'data'), '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C'];
      execFileSync(program('initdb'), [...flags, '--no-sync', '--no-instructions'], {
        ...owner,
        cwd: directory,
        stdio: 'pipe',
      });
      const server = new PostgresServer(directory, await freePort());
      await server.restart();
      return server;
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Of the database that is always there. */
  get url(): string {
    return this.#url('postgres');
  }

  /** The postmaster; undefined while it is down. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** A new, empty database; returns its URL. */
  async createDatabase(): Promise<string> {
    const name = `test_${randomBytes(6).toString('hex')}`;
    await this.query(this.url, `create database ${name} strategy file_copy`);
    return this.#url(name);
  }

  /** Runs one statement in a database, as a person with a shell would. */
  async query(url: string, statement: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  /** As a person with a shell would; the rows of the last statement. */
  async execute(url: string, statements: string): Promise<readonly unknown[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const results = [await client.query(statements)].flat();
      return results.at(-1)?.rows ?? [];
    } finally {
      await client.end();
    }
  }

  /** A database as pg_dump saves it, into a new file. */
  dump(url: string, path: string): void {
    execFileSync(program('pg_dump'), ['--format=custom', `--file=${path}`, url]);
  }

  /** As it was when it was saved, in place of what is there now. */
  restore(url: string, path: string): void {
    execFileSync(program('pg_restore'), ['--clean', '--exit-on-error', `--dbname=${url}`, path]);
  }

  /** Starts it again on the same data and port after `kill`. Resolves when it answers. */
  async restart(): Promise<void> {
    const owner = ownerIds();
    const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const ids = owner === undefined ? [] : [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'];
    const child = spawn(
      // Ends with us, however we die.
      'setpriv',
      [
        ...ids,
        '--pdeathsig=QUIT',
        program('postgres'),
        '-D',
        join(this.#directory, 'data'),
        '-p',
        `${this.port}`,
        ...settings,
      ],
      { cwd: this.#directory, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C' } },
    );
    this.#process = child;
    this.#log = '';
    child.stderr.on('data', (text: Buffer) => {
      this.#log = (this.#log + text.toString()).slice(-4000);
    });
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    const until = performance.now() + START_MS;
    while (!(await this.#answers())) {
      if (this.#process === undefined || performance.now() > until) {
        throw new Error(`PostgreSQL did not start on port ${this.port}:\n${this.#log}`);
      }
      await sleep(20);
    }
  }

  /** SIGKILL: as after a crash. Its backends end by themselves, and are gone when this resolves. */
  async kill(signal: 'SIGKILL' | 'SIGQUIT' = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const backends = childrenOf(child.pid);
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    while (backends.some(isAlive)) await sleep(5);
  }

  /** SIGSTOP of the postmaster and its backends: connections stay, nobody answers. Returns the continuation. */
  pause(): () => void {
    const pids = [this.pid, ...childrenOf(this.pid)].filter((pid) => pid !== undefined);
    for (const pid of pids) signal(pid, 'SIGSTOP');
    return () => {
      for (const pid of pids) signal(pid, 'SIGCONT');
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGQUIT');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #url(database: string): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/${database}`;
  }

  async #answers(): Promise<boolean> {
    const client = new Client({ connectionString: this.url, connectionTimeoutMillis: 2000 });
    try {
      await client.connect();
      await client.query('select 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** PostgreSQL refuses to run as root: Debian's package brings a user for it. */
function ownerIds(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return { uid: postgresId('-u'), gid: postgresId('-g') };
}

function postgresId(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }).trim());
}

function program(name: string): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a)) : [];
  for (const version of versions) {
    const path = join(DEBIAN, version, 'bin', name);
    if (existsSync(path)) return path;
  }
  throw new Error(`${name} is not under ${DEBIAN}: apt-get install postgresql`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function childrenOf(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    // The name, in parentheses, may hold spaces: the parent is the second word behind it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It has ended.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

/** False: it has ended, as backends do at any time. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
