import { spawn, type ChildProcess } from 'node:child_process';
import type { AgentStats, FilterStatus } from '@fleetflame/agent';
import { stalledReason } from '@fleetflame/agent/stalled';
import type { PlainLog } from '../parent/plain-log.ts';
import { RestartPause } from '../parent/restart-pause.ts';
import type { AgentStatus, AgentView } from './pages.ts';

/** A scrape does not wait longer than this for the agent. */
const ANSWER_TIMEOUT_MS = 2000;
/** At a stop the agent flushes its window to the spool and tries to send it. */
const STOP_TIMEOUT_MS = 15_000;

export interface AgentProcessOptions {
  /** Asked at each start: the program and its arguments. */
  readonly command: () => readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Default: this process's. */
  readonly cwd?: string;
  readonly log: PlainLog;
}

/** Messages from the agent process. */
export type AgentMessage =
  | { readonly type: 'running' }
  | { readonly type: 'failed'; readonly reason: string; readonly permanent: boolean }
  | { readonly type: 'filter'; readonly filter: FilterStatus }
  | { readonly type: 'answer'; readonly id: number; readonly text: string };

/** Answered by text: Prometheus' format, or AgentStats as JSON. */
export interface AgentQuestion {
  readonly type: 'metrics' | 'stats';
  readonly id: number;
}

/** Messages to the agent process. */
export type AgentRequest =
  | AgentQuestion
  /** Read the filter file again. */
  | { readonly type: 'reload' }
  | { readonly type: 'stop' };

type State =
  | { readonly name: 'starting' }
  | { readonly name: 'running' }
  | { readonly name: 'restarting'; readonly reason: string }
  | { readonly name: 'unavailable'; readonly reason: string }
  | { readonly name: 'stopped' };

/**
 * The agent as a child process: its own heap, its own CPU account, and a crash of one does not
 * take the other along. When the parent dies, the channel closes and the agent flushes and ends. Used by the parent of
 * `up`, which is to stay small: nothing heavy is imported here.
 */
export class AgentProcess implements AgentView {
  readonly #options: AgentProcessOptions;
  readonly #waiting = new Map<number, (text: string) => void>();
  #state: State = { name: 'starting' };
  #child: ChildProcess | undefined;
  #filter: FilterStatus | undefined;
  readonly #pause = new RestartPause();
  #restartTimer: NodeJS.Timeout | undefined;
  #nextId = 0;

  constructor(options: AgentProcessOptions) {
    this.#options = options;
  }

  /** An agent that cannot run here, with the reason. */
  static unavailable(log: PlainLog, reason: string): AgentProcess {
    const agent = new AgentProcess({ command: () => [], env: {}, log });
    agent.#state = { name: 'unavailable', reason };
    return agent;
  }

  start(): void {
    if (this.#state.name === 'unavailable') return;
    this.#state = { name: 'starting' };
    this.#pause.started();
    const { command, env, cwd } = this.#options;
    const [program = '', ...rest] = command();
    const child = spawn(program, rest, {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    let hasEnded = false;
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.#ended(`the agent ended with ${signal ?? `code ${code}`}`);
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own program at the other end
    child.on('message', (message) => this.#receive(message as AgentMessage));
    child.on('exit', end);
    // It was never started, or the channel broke: then its end is told, too.
    child.on('error', (error) => {
      this.#options.log.error({}, `the agent's process: ${error.message}`);
      if (child.pid === undefined) end(1, null);
    });
  }

  #ended(reason: string): void {
    this.#child = undefined;
    for (const answer of this.#waiting.values()) answer('');
    this.#waiting.clear();
    if (this.#state.name === 'stopped' || this.#state.name === 'unavailable') return;
    const restartMs = this.#pause.ended();
    this.#options.log.error({ restartMs, restarts: this.#pause.restarts }, reason);
    this.#state = { name: 'restarting', reason };
    this.#restartTimer = setTimeout(() => this.start(), restartMs);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#restartTimer);
    this.#state = { name: 'stopped' };
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#send({ type: 'stop' });
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(kill);
  }

  /** At once, without its last window. */
  kill(): void {
    this.#state = { name: 'stopped' };
    this.#child?.kill('SIGKILL');
  }

  reload(): void {
    this.#send({ type: 'reload' });
  }

  async status(): Promise<AgentStatus> {
    const text = await this.#ask('stats');
    const told: unknown = text === '' ? undefined : (JSON.parse(text) ?? undefined);
    const stats = isStats(told) ? told : undefined;
    const stalled =
      this.#state.name === 'running'
        ? stats === undefined
          ? 'it does not answer'
          : stalledReason(stats)
        : undefined;
    const name = stalled === undefined ? this.#state.name : 'stalled';
    const why = stalled ?? ('reason' in this.#state ? this.#state.reason : undefined);
    const reason = why === undefined ? {} : { reason: why };
    const pid = this.#child?.pid === undefined ? {} : { pid: this.#child.pid };
    const filter = this.#filter === undefined ? {} : { filter: this.#filter };
    return { state: name, ...reason, ...pid, ...filter, ...(stats === undefined ? {} : { stats }) };
  }

  /** With a metric of its own: an agent that does not answer can say nothing. */
  async metrics(): Promise<string> {
    const text = await this.#ask('metrics');
    const help = '# HELP fleetflame_agent_up Whether the agent beside this server runs and answers.';
    const up = `${help}\n# TYPE fleetflame_agent_up gauge\nfleetflame_agent_up ${text === '' ? 0 : 1}\n`;
    const restarts =
      '# HELP fleetflame_agent_restarts_total Times that the agent ended and was started again by up.\n' +
      `# TYPE fleetflame_agent_restarts_total counter\nfleetflame_agent_restarts_total ${this.#pause.restarts}\n`;
    return `${text}${up}${restarts}`;
  }

  /** "" when there is no agent, or it does not answer. */
  async #ask(type: AgentQuestion['type']): Promise<string> {
    if (this.#state.name !== 'running') return '';
    const id = this.#nextId++;
    const answer = new Promise<string>((resolve) => this.#waiting.set(id, resolve));
    const timeout = setTimeout(() => this.#waiting.get(id)?.(''), ANSWER_TIMEOUT_MS);
    this.#send({ type, id });
    const text = await answer;
    clearTimeout(timeout);
    this.#waiting.delete(id);
    return text;
  }

  #send(request: AgentRequest): void {
    if (this.#child?.connected === true) this.#child.send(request);
  }

  #receive(message: AgentMessage): void {
    switch (message.type) {
      case 'running':
        // It may have been told to stop before it was up.
        if (this.#state.name === 'starting') this.#state = { name: 'running' };
        break;
      case 'failed':
        if (message.permanent && this.#state.name !== 'stopped')
          this.#state = { name: 'unavailable', reason: message.reason };
        break;
      case 'filter':
        this.#filter = message.filter;
        break;
      case 'answer':
        this.#waiting.get(message.id)?.(message.text);
        break;
    }
  }
}

/** The other end is this program too: what it says of itself is of that form, or nothing. */
function isStats(value: unknown): value is AgentStats {
  return typeof value === 'object' && value !== null && 'lastWindowAgeMs' in value;
}
