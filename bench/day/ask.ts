/** Asks a query service of its own about a day, over HTTP, and takes the time. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createClient, type Client, type Interceptor } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { decodeFlameTable, seriesStepMs } from '@fleetflame/profile';
import { QueryService, type Coverage } from '@fleetflame/proto/query/v1/query';
import { createQuery } from '@fleetflame/query';
import type { Store } from '@fleetflame/store';
import { SymbolStore } from '@fleetflame/symbols';
import { pino } from 'pino';
import { Registry } from 'prom-client';

export const QUESTIONS = ['flame', 'top', 'series', 'values'] as const;
export type Question = (typeof QUESTIONS)[number];

export interface Measured {
  readonly wallMs: number;
  /** All threads of the process, client included. */
  readonly cpuMs: number;
  readonly bytesRead: number;
  readonly rows: number;
  readonly blocks: number;
  /** Rows of the flame table, functions, groups or values. */
  readonly items: number;
}

const PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const NODES = 16_384;

/** A question that fails ends the bench with the reason. */
const tell: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    console.error(error);
    return process.exit(1);
  }
};

export class Asker {
  readonly #client: Client<typeof QueryService>;
  readonly close: () => Promise<void>;

  private constructor(client: Client<typeof QueryService>, close: () => Promise<void>) {
    this.#client = client;
    this.close = close;
  }

  /** A service with empty caches. */
  static async start(store: Store): Promise<Asker> {
    const log = pino({ level: 'warn' }, pino.destination(2));
    const symbols = new SymbolStore({ storage: store.objects, log, registry: new Registry() });
    const query = createQuery({ store, symbols, log, registry: new Registry() });
    const server = createServer(
      connectNodeAdapter({ routes: (router) => query.routes(router), interceptors: [tell] }),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    await query.ready();
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const baseUrl = `http://127.0.0.1:${address.port}`;
    const transport = createConnectTransport({ baseUrl, httpVersion: '1.1', acceptCompression: [] });
    return new Asker(createClient(QueryService, transport), async () => {
      server.closeAllConnections();
      server.close();
      await query.close();
    });
  }

  /** @param selector default: everything */
  async ask(question: Question, fromMs: number, toMs: number, selector = ''): Promise<Measured> {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const { items, coverage } = await this.#answer(question, fromMs, toMs, selector);
    const wallMs = performance.now() - started;
    const { user, system } = process.cpuUsage(cpu);
    if (coverage === undefined || coverage.missing.length > 0) throw new Error('the answer is not whole');
    return {
      wallMs,
      cpuMs: (user + system) / 1000,
      bytesRead: Number(coverage.bytesRead),
      rows: Number(coverage.sampleRows),
      blocks: coverage.blocksAnswered,
      items,
    };
  }

  async #answer(
    question: Question,
    fromMs: number,
    toMs: number,
    selector: string,
  ): Promise<{ items: number; coverage: Coverage | undefined }> {
    const scope = { fromMs: BigInt(fromMs), toMs: BigInt(toMs), profileType: PROFILE_TYPE, selector };
    if (question === 'flame') {
      const { table, coverage } = await this.#client.flameGraph({ scope, maxNodes: NODES });
      return { items: decodeFlameTable(table).length, coverage };
    }
    if (question === 'top') {
      const { functions, coverage } = await this.#client.top({ scope });
      return { items: functions.length, coverage };
    }
    if (question === 'series') {
      const { groups, coverage } = await this.#client.series({
        scope,
        stepMs: BigInt(Math.max(60_000, seriesStepMs(toMs - fromMs))),
        groupBy: ['service_name'],
      });
      return { items: groups.length, coverage };
    }
    const { values, coverage } = await this.#client.labelValues({ scope, name: 'thread_name' });
    return { items: values.length, coverage };
  }
}
