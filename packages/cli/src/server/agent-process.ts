import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stalledReason, type AgentStats, type FilterStatus } from '@fleetflame/agent';
import type { Logger } from 'pino';
import { agentRuntime } from './agent-runtime.ts';
import type { AgentStatus, AgentView } from './pages.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** An agent that fails at once is started again after this long, doubled up to the second. */
const FIRST_RESTART_MS = 1000;
const LAST_RESTART_MS = 60_000;
/** An agent that ran for this long starts over at the first. */
const STABLE_MS = 60_000;
/** A scrape does not wait longer than this for the agent. */
const ANSWER_TIMEOUT_MS = 2000;
/** At a stop the agent flushes its window to the spool and tries to send it. */
const STOP_TIMEOUT_MS = 15_000;

export interface AgentProcessOptions {
  readonly arguments: readonly string[];
  readonly log: Logger;
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
 * take the other along. When the parent dies, the channel closes and the agent flushes and ends.
 */
export class AgentProcess implements AgentView {
  readonly #options: AgentProcessOptions;
  readonly #waiting = new Map<number, (text: string) => void>();
  #state: State = { name: 'starting' };
  #child: ChildProcess | undefined;
  #filter: FilterStatus | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #restartMs = FIRST_RESTART_MS;
  #nextId = 0;

  constructor(options: AgentProcessOptions) {
    this.#options = options;
  }

  /** An agent that cannot run here, with the reason. */
  static unavailable(log: Logger, reason: string): AgentProcess {
    const agent = new AgentProcess({ arguments: [], log });
    agent.#state = { name: 'unavailable', reason };
    return agent;
  }

  start(): void {
    if (this.#state.name === 'unavailable') return;
    this.#state = { name: 'starting' };
    const startedAt = Date.now();
    const child = fork(MAIN, ['agent', ...this.#options.arguments], {
      ...agentRuntime(process.execArgv, process.env),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own program at the other end
    child.on('message', (message) => this.#receive(message as AgentMessage));
    child.on('exit', (code, signal) => {
      this.#child = undefined;
      for (const answer of this.#waiting.values()) answer('');
      this.#waiting.clear();
      if (this.#state.name === 'stopped' || this.#state.name === 'unavailable') return;
      const reason = `the agent ended with ${signal ?? `code ${code}`}`;
      this.#restartMs = Date.now() - startedAt > STABLE_MS ? FIRST_RESTART_MS : this.#restartMs;
      this.#options.log.error({ restartMs: this.#restartMs }, reason);
      this.#state = { name: 'restarting', reason };
      this.#restartTimer = setTimeout(() => this.start(), this.#restartMs);
      this.#restartMs = Math.min(LAST_RESTART_MS, this.#restartMs * 2);
    });
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
    return `${text}${help}\n# TYPE fleetflame_agent_up gauge\nfleetflame_agent_up ${text === '' ? 0 : 1}\n`;
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
