/** The thread that answers, as one call of a worker asks it. */
import { FleetflameError } from '@fleetflame/profile';
import type { BlockEntry, Snapshot, SnapshotRange } from '@fleetflame/store';
import { SymbolTable } from '@fleetflame/symbols/tables';
import type { LoadedSymbols, QueryHost, Shared } from '../query-host.ts';
import { errorOf } from './call-failure.ts';
import type { FromWorker, HostAnswers, HostRequest, ToWorker } from './messages.ts';

interface Waiting {
  readonly resolve: (value: HostAnswers[HostRequest['kind']]) => void;
  readonly reject: (error: Error) => void;
}

/** The tables that queries of this thread use now: the memory is the process', shared by all threads. */
const tables = new Map<string, WeakRef<SymbolTable>>();

/** What is asked and not answered yet. */
export class HostRequests {
  readonly #send: (message: FromWorker) => void;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  /** Of the call; resolves to what was asked for, and the number under which it is given back. */
  async ask<Kind extends HostRequest['kind']>(
    call: number,
    wanted: Extract<HostRequest, { kind: Kind }>,
  ): Promise<{ readonly value: HostAnswers[Kind]; readonly giveBack: () => void }> {
    const request = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<HostAnswers[HostRequest['kind']]>();
    this.#waiting.set(request, { resolve, reject });
    this.#send({ kind: 'request', request, call, wanted });
    // The answer is of the kind that was asked for.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const value = (await promise) as HostAnswers[Kind];
    return { value, giveBack: () => this.#send({ kind: 'giveBack', request, call }) };
  }

  settle(message: Extract<ToWorker, { kind: 'granted' | 'refused' }>): void {
    const waiting = this.#waiting.get(message.request);
    this.#waiting.delete(message.request);
    if (message.kind === 'granted') waiting?.resolve(message.value);
    else waiting?.reject(errorOf(message.failure));
  }
}

export class CallHost implements QueryHost {
  readonly #requests: HostRequests;
  readonly #call: number;

  constructor(requests: HostRequests, call: number) {
    this.#requests = requests;
    this.#call = call;
  }

  async snapshot(range: SnapshotRange): Promise<Snapshot> {
    const { value, giveBack } = await this.#requests.ask(this.#call, { kind: 'snapshot', range });
    return { ...value, release: giveBack };
  }

  async quarantine(entry: BlockEntry, reason: string): Promise<void> {
    await this.#requests.ask(this.#call, { kind: 'quarantine', entry, reason });
  }

  async take(shared: Shared, amount: number): Promise<() => void> {
    const { giveBack } = await this.#requests.ask(this.#call, { kind: 'take', shared, amount });
    return giveBack;
  }

  async symbols(buildIds: readonly string[]): Promise<readonly LoadedSymbols[]> {
    // Held until the answer is there, which may name them.
    const alive = new Map<string, SymbolTable>();
    for (const [key, reference] of tables) {
      const table = reference.deref();
      if (table === undefined) tables.delete(key);
      else alive.set(key, table);
    }
    const known = new Set(alive.keys());
    const { value } = await this.#requests.ask(this.#call, { kind: 'symbols', buildIds, known });
    return value.map(({ table, ...rest }) => {
      if (table === undefined) return { ...rest, table };
      const { version } = rest;
      const held = alive.get(version) ?? tables.get(version)?.deref();
      if (held !== undefined) return { ...rest, table: held };
      if (table === 'known') throw new FleetflameError('unavailable', 'A symbol table is gone: ask again.');
      const made = new SymbolTable(table);
      tables.set(version, new WeakRef(made));
      return { ...rest, table: made };
    });
  }
}
