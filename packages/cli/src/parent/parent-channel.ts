import type { Server as Listener } from 'node:net';
import type { AgentStatus, AgentView } from '../server/pages.ts';
import type { FromServer, ToServer } from './plan.ts';

/** The parent waits for the agent as long as AgentProcess says, and the server a little longer for the parent. */
const ANSWER_TIMEOUT_MS = 3000;
/** A service manager ends all of a group at once: the parent then says when it is the server's turn. */
const OWN_STOP_MS = 5000;

type StartWord = Extract<ToServer, { type: 'start' }>;

/** The server's end of the channel to the parent, which starts it, knows the agent, and says when to stop. */
export class ParentChannel implements AgentView {
  readonly #waiting = new Map<number, (text: string) => void>();
  readonly started: Promise<StartWord>;
  #take: (handle: Listener) => void = () => {};
  /** The parent's word; or SIGTERM, when nothing comes of the parent for a while. */
  readonly stopped: Promise<void>;
  #nextId = 0;

  constructor() {
    const started = Promise.withResolvers<StartWord>();
    const stopped = Promise.withResolvers<void>();
    this.started = started.promise;
    this.stopped = stopped.promise;
    process.on('message', (message: ToServer, handle?: Listener) => {
      if (message.type === 'start') started.resolve(message);
      else if (message.type === 'port') {
        // At once: what connects before somebody listens in earnest would never be answered.
        if (handle !== undefined) this.#take(handle);
      } else if (message.type === 'stop') stopped.resolve();
      else this.#waiting.get(message.id)?.(message.text);
    });
    // Ctrl-C reaches the whole group.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => setTimeout(() => stopped.resolve(), OWN_STOP_MS));
    // The kernel ends the server with its parent; this is for the moment before that took hold.
    process.on('disconnect', orphaned);
  }

  /** Asks for the port that this process may not take, and hands what listens there to `take`. */
  readonly askForPort = (take: (handle: Listener) => void): void => {
    this.#take = take;
    this.tell({ type: 'port' });
  };

  /** The parent's end is told by the exit code alone: an open channel would keep the process. */
  close(): void {
    process.off('disconnect', orphaned);
    if (process.connected) process.disconnect();
  }

  tell(message: FromServer): void {
    if (process.connected) process.send?.(message);
  }

  async status(): Promise<AgentStatus> {
    const text = await this.#ask('status');
    if (text === '') return { state: 'unknown', reason: 'the parent of the server does not answer' };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the parent is our own program
    return JSON.parse(text) as AgentStatus;
  }

  async metrics(): Promise<string> {
    return await this.#ask('metrics');
  }

  /** "" when there is no answer. */
  async #ask(what: 'status' | 'metrics'): Promise<string> {
    const id = this.#nextId++;
    const answer = new Promise<string>((resolve) => this.#waiting.set(id, resolve));
    const timeout = setTimeout(() => this.#waiting.get(id)?.(''), ANSWER_TIMEOUT_MS);
    this.tell({ type: 'ask', id, what });
    const text = await answer;
    clearTimeout(timeout);
    this.#waiting.delete(id);
    return text;
  }
}

function orphaned(): void {
  process.exit(1);
}
