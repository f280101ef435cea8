import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import type { AgentProcess } from '../server/agent-process.ts';
import type { PlainLog } from './plain-log.ts';
import type { FromServer, Plan, ToServer } from './plan.ts';
import { RestartPause } from './restart-pause.ts';

/** EX_CONFIG, as exit-code.ts has it: it can never start like this. */
const PERMANENT = 78;

/** How the server came to run, or that it never did. */
export type Started =
  | { readonly type: 'up'; readonly url: string }
  | { readonly type: 'ended'; readonly code: number };

/**
 * The server as a child: started again whenever it ends, on the port that it had, unless it cannot start at all. What it
 * has acknowledged is in the store, so a new one goes on where the old one was killed.
 */
export class ServerChild {
  readonly #plan: Plan['server'];
  readonly #agent: AgentProcess;
  readonly #log: PlainLog;
  readonly #pause = new RestartPause();
  readonly #onFirst: (started: Started) => void;
  readonly #onLast: (code: number) => void;
  /** The first start. */
  readonly started: Promise<Started>;
  /** It has ended and cannot be started again: the exit code. */
  readonly ended: Promise<number>;
  #port: number;
  #isUp = false;
  #stopping = false;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(plan: Plan['server'], agent: AgentProcess, log: PlainLog) {
    this.#plan = plan;
    this.#agent = agent;
    this.#log = log;
    this.#port = plan.port;
    const first = Promise.withResolvers<Started>();
    const last = Promise.withResolvers<number>();
    this.#onFirst = first.resolve;
    this.#onLast = last.resolve;
    this.started = first.promise;
    this.ended = last.promise;
  }

  start(): void {
    this.#pause.started();
    const [program = '', ...rest] = this.#plan.command;
    const child = spawn(program, rest, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: this.#plan.env,
      cwd: '/',
    });
    this.#child = child;
    let hasEnded = false;
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (hasEnded) return;
      hasEnded = true;
      if (this.#child === child) this.#child = undefined;
      this.#ended(code, signal);
    };
    child.once('exit', end);
    // It was never started, or the channel broke: then its end is told, too.
    child.on('error', (error) => {
      this.#log.error({}, `the server's process: ${error.message}`);
      if (child.pid === undefined) end(1, null);
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own program at the other end
    child.on('message', (message) => void this.#receive(child, message as FromServer));
    const { settings, isPrivileged } = this.#plan;
    this.#send(child, { type: 'start', settings, port: this.#port, isPrivileged });
  }

  /** Lets it answer what is running, and ends it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#send(child, { type: 'stop' });
    const cut = setTimeout(() => child.kill('SIGKILL'), this.#plan.stopMs);
    await ended;
    clearTimeout(cut);
  }

  kill(): void {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
  }

  metrics(): string {
    return (
      '# HELP fleetflame_server_restarts_total Times that the server ended and was started again by up.\n' +
      `# TYPE fleetflame_server_restarts_total counter\nfleetflame_server_restarts_total ${this.#pause.restarts}\n`
    );
  }

  /** The server asks when it is ready to answer: until then nobody is to be let in. */
  #givePort(child: ChildProcess): void {
    // A connection that comes before the handle is over there cannot be answered here.
    const listener = createServer((socket) => socket.destroy());
    listener.once('error', (error) => {
      this.#log.error({}, `port ${this.#port} cannot be taken: ${error.message}`);
      child.kill('SIGKILL');
    });
    listener.listen(this.#port, this.#plan.host, () => this.#send(child, { type: 'port' }, listener));
  }

  #send(child: ChildProcess, message: ToServer, listener?: Server): void {
    if (!child.connected) return;
    // It may end at any moment; its exit is told.
    child.send(message, listener, {}, () => listener?.close());
  }

  async #receive(child: ChildProcess, message: FromServer): Promise<void> {
    if (message.type === 'port') {
      this.#givePort(child);
      return;
    }
    if (message.type === 'ask') {
      const text =
        message.what === 'status'
          ? JSON.stringify(await this.#agent.status())
          : `${await this.#agent.metrics()}${this.metrics()}`;
      this.#send(child, { type: 'answer', id: message.id, text });
      return;
    }
    this.#port = message.port;
    if (this.#isUp) this.#log.info({ pid: child.pid }, 'the server answers again');
    this.#isUp = true;
    this.#onFirst({ type: 'up', url: message.url });
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping) return;
    const why = `the server ended with ${signal ?? `code ${code}`}`;
    if (!this.#isUp) {
      // It has said why itself.
      if (signal !== null) this.#log.error({}, why);
      this.#onFirst({ type: 'ended', code: code ?? 1 });
      return;
    }
    if (code === PERMANENT) {
      this.#log.error({}, `${why}, which does not change by trying again`);
      this.#onLast(code);
      return;
    }
    const restartMs = this.#pause.ended();
    this.#log.error({ restartMs, restarts: this.#pause.restarts }, why);
    this.#timer = setTimeout(() => this.start(), restartMs);
  }
}
