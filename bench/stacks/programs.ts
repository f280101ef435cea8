import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { type Load, SCRIPTS } from '@fleetflame/bpf/testing';

const POSTGRES = '/usr/lib/postgresql/15/bin';
const READY_MS = 30_000;

/** What a program needs to run: where its files go, and what ends it. */
export interface Place {
  readonly directory: string;
  readonly load: Load;
}

export interface Program {
  readonly name: string;
  /** Files without which it cannot run here. */
  readonly needs: readonly string[];
  /** Starts it under load; the processes, with those that they start, whose samples count. */
  readonly start: (place: Place) => number[] | Promise<number[]>;
}

export const PROGRAMS: readonly Program[] = [
  ...['-O2 -fomit-frame-pointer', '-O2 -fomit-frame-pointer -flto', '-O3 -fomit-frame-pointer -mavx2'].map(
    (options) => cpp('gcc', 'g++', options),
  ),
  cpp('clang', 'clang++', '-O2 -fomit-frame-pointer'),
  rust('Rust, -O', ['-O']),
  rust('Rust, panic=abort, frame pointers, no .eh_frame', [
    '-O',
    '-Cpanic=abort',
    '-Cforce-frame-pointers=yes',
    '-Cforce-unwind-tables=no',
  ]),
  go('Go', 'stages.go'),
  go('Go, stripped', 'stages.go', '-ldflags=-s -w'),
  go('Go with C (cgo)', 'cgo.go'),
  command('python3', '/usr/bin/python3', '-c', SCRIPTS.python),
  command('perl', '/usr/bin/perl', '-e', SCRIPTS.perl),
  command('node', process.execPath, '-e', SCRIPTS.node),
  java('java', []),
  java('java, -XX:+PreserveFramePointer', ['-XX:+PreserveFramePointer']),
  java('java, interpreter only (-Xint)', ['-Xint']),
  { name: 'postgres (pgbench)', needs: [`${POSTGRES}/postgres`], start: startPostgres },
  { name: 'redis-server (redis-benchmark)', needs: ['/usr/bin/redis-server'], start: startRedis },
  { name: 'nginx (wrk)', needs: ['/usr/sbin/nginx', '/usr/bin/wrk'], start: startNginx },
  command('sqlite3', '/usr/bin/sqlite3', ':memory:', SCRIPTS.sql),
  pipe('gzip', 'gzip -9'),
  pipe('zstd', 'zstd -9 -T2'),
  ...['aes-256-gcm', 'sha256', 'ecdsap256', 'ed25519', 'rsa2048', 'chacha20-poly1305'].map((algorithm) =>
    command(`openssl ${algorithm}`, '/usr/bin/openssl', 'speed', '-seconds', '60', ...evp(algorithm)),
  ),
];

function evp(algorithm: string): string[] {
  return /^(aes|sha|chacha)/.test(algorithm) ? ['-evp', algorithm] : [algorithm];
}

function sourceOf(name: string): string {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url));
}

function stageSource(name: string): string {
  return fileURLToPath(new URL(`../../packages/bpf/src/testing/programs/${name}`, import.meta.url));
}

function command(name: string, file: string, ...args: string[]): Program {
  return { name, needs: [file], start: ({ load }) => [load.start(file, ...args)] };
}

/** The hard cases of native code, all of them at once. */
function cpp(c: string, compiler: string, options: string): Program {
  return {
    name: `C and C++, ${c} ${options}`,
    needs: [`/usr/bin/${compiler}`],
    start: ({ directory, load }) => {
      const library = `${directory}/libnative.so`;
      const program = `${directory}/native`;
      const words = options.split(' ');
      execFileSync(c, [...words, '-shared', '-fPIC', stageSource('native-library.c'), '-o', library]);
      execFileSync(compiler, [
        ...words,
        stageSource('native.cc'),
        '-o',
        program,
        library,
        `-Wl,-rpath,${directory}`,
        '-pthread',
        '-ldl',
      ]);
      const stages = execFileSync(program, { encoding: 'utf8' }).trim().split('\n');
      return stages.map((stage) => load.start(program, stage, library));
    },
  };
}

function rust(name: string, options: readonly string[]): Program {
  return {
    name,
    needs: ['/usr/bin/rustc'],
    start: ({ directory, load }) => {
      execFileSync('/usr/bin/rustc', [...options, sourceOf('stages.rs'), '-o', `${directory}/rust`]);
      return [load.start(`${directory}/rust`)];
    },
  };
}

function go(name: string, source: string, ...options: string[]): Program {
  return {
    name,
    needs: ['/usr/bin/go'],
    start: ({ directory, load }) => {
      execFileSync('/usr/bin/go', ['build', ...options, '-o', `${directory}/go`, sourceOf(source)]);
      return [load.start(`${directory}/go`)];
    },
  };
}

function java(name: string, options: readonly string[]): Program {
  return {
    name,
    needs: ['/usr/bin/java', '/usr/bin/javac'],
    start: ({ directory, load }) => {
      execFileSync('/usr/bin/javac', ['-d', directory, sourceOf('Stages.java')]);
      return [load.start('/usr/bin/java', '-Xmx256m', ...options, '-cp', directory, 'Stages')];
    },
  };
}

/** A filter that reads the same megabyte again and again. */
function pipe(name: string, filter: string): Program {
  return {
    name,
    needs: [`/usr/bin/${name}`],
    start: ({ directory, load }) => {
      const input = `${directory}/input`;
      writeFileSync(input, Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * i) >> 7)));
      return [load.start('/bin/sh', '-c', `while cat ${input}; do :; done | exec ${filter} > /dev/null`)];
    },
  };
}

async function startPostgres({ directory, load }: Place): Promise<number[]> {
  // It refuses to run as root.
  const as = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'];
  const data = `${directory}/data`;
  chmodSync(directory, 0o755);
  mkdirSync(data);
  execFileSync('chown', ['postgres:postgres', data]);
  const run = (...args: string[]): string =>
    execFileSync(as[0]!, [...as.slice(1), ...args], { encoding: 'utf8', stdio: 'pipe' });
  run(`${POSTGRES}/initdb`, '-D', `${data}/db`, '-A', 'trust', '--no-sync');
  const server = [`${POSTGRES}/postgres`, '-D', `${data}/db`, '-k', data, '-c', 'listen_addresses='];
  const pid = load.start(as[0]!, ...as.slice(1), ...server, '-c', 'shared_buffers=64MB', '-c', 'fsync=off');
  await until(() => run('psql', '-h', data, '-d', 'postgres', '-c', 'select 1'));
  const pgbench = (...args: string[]): string[] => [`${POSTGRES}/pgbench`, '-h', data, ...args, 'postgres'];
  run(...pgbench('-i', '-q', '-s', '2'));
  load.start(as[0]!, ...as.slice(1), ...pgbench('-c', '4', '-T', '600'));
  return [pid];
}

async function startRedis({ directory, load }: Place): Promise<number[]> {
  const socket = `${directory}/redis.sock`;
  const pid = load.start('/usr/bin/redis-server', '--port', '0', '--unixsocket', socket, '--save', '');
  await until(() => execFileSync('redis-cli', ['-s', socket, 'ping'], { stdio: 'pipe' }));
  load.start('/usr/bin/redis-benchmark', '-s', socket, '-l', '-q', '-c', '20', '-r', '100000', '-P', '4');
  return [pid];
}

async function startNginx({ directory, load }: Place): Promise<number[]> {
  const port = await freePort();
  writeFileSync(`${directory}/index.html`, '<p>text</p>'.repeat(1000));
  writeFileSync(
    `${directory}/nginx.conf`,
    `daemon off; user root; worker_processes 2; pid ${directory}/pid; error_log ${directory}/error.log;
     events {} http { access_log ${directory}/access.log; gzip on; gzip_types text/html;
     client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
     uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
     server { listen 127.0.0.1:${port}; root ${directory}; } }`,
  );
  const pid = load.start('/usr/sbin/nginx', '-e', `${directory}/error.log`, '-c', `${directory}/nginx.conf`);
  const url = `http://127.0.0.1:${port}/index.html`;
  await until(async () => await fetch(url));
  load.start('/usr/bin/wrk', '-t1', '-c20', '-d600', '-H', 'Accept-Encoding: gzip', url);
  return [pid];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Tries until it does not throw. */
async function until(attempt: () => unknown): Promise<void> {
  const giveUpMs = Date.now() + READY_MS;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (Date.now() > giveUpMs) throw error;
      await delay(100);
    }
  }
}
