/**
 * A TCP proxy before a server that does what networks do: it loses the questions it is told to lose, or
 * the answers to them, and it can be cut and healed as a whole.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 *   refuse   connections end, and so does every new one: nobody listens
 *   hang     nothing passes, and nobody is told: packets vanish. What was sent arrives when it is healed
 *   truncate the next answer on each connection ends in its middle; then as `refuse`
 */
export const CUTS = ['refuse', 'hang', 'truncate'] as const;
export type Cut = (typeof CUTS)[number];

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class LossyProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  #word: Buffer | undefined;
  #loses: 'question' | 'answer' = 'question';
  #cut: Cut | undefined;
  /** Clients that came while it hung. */
  #waiting: Socket[] = [];
  port = 0;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Before a port of this host. @param host the address it listens on */
  static async start(target: number, host = '127.0.0.1'): Promise<LossyProxy> {
    const proxy = new LossyProxy(target);
    proxy.#server.listen(0, host);
    await once(proxy.#server, 'listening');
    const address = proxy.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    proxy.port = address.port;
    return proxy;
  }

  /** The next connection that sends `word` is cut: before the word arrives, or when it is answered. */
  lose(what: 'question' | 'answer', word: string): void {
    this.#loses = what;
    this.#word = Buffer.from(word);
  }

  cut(how: Cut): void {
    this.#cut = how;
    for (const pair of this.#pairs) {
      if (how === 'refuse') end(pair);
      if (how === 'hang') {
        pair.client.pause();
        pair.server.pause();
      }
    }
  }

  /** All is well again, and nothing is lost any more. */
  heal(): void {
    const was = this.#cut;
    this.#cut = undefined;
    this.#word = undefined;
    // Who waits in the middle of an answer would wait for ever.
    if (was === 'truncate') for (const pair of this.#pairs) end(pair);
    for (const { client, server } of this.#pairs) {
      client.resume();
      server.resume();
    }
    for (const client of this.#waiting.splice(0)) if (!client.destroyed) this.#forward(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) end(pair);
    for (const client of this.#waiting) client.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#cut === undefined) return this.#forward(client);
    client.on('error', () => client.destroy());
    if (this.#cut !== 'hang') return void client.destroy();
    client.pause();
    this.#waiting.push(client);
  }

  #forward(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1');
    const pair: Pair = { client, server };
    let cutting = false;
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      socket.on('error', () => end(pair));
      socket.on('close', () => {
        this.#pairs.delete(pair);
        end(pair);
      });
    }
    client.on('data', (bytes: Buffer) => {
      if (this.#word !== undefined && bytes.includes(this.#word)) {
        this.#word = undefined;
        cutting = true;
        if (this.#loses === 'question') return end(pair);
      }
      server.write(bytes);
    });
    server.on('data', (bytes: Buffer) => {
      if (cutting) return end(pair);
      if (this.#cut !== 'truncate') return void client.write(bytes);
      client.write(bytes.subarray(0, bytes.length >> 1), () => end(pair));
    });
    // It may have waited.
    client.resume();
  }
}

function end({ client, server }: Pair): void {
  client.destroy();
  server.destroy();
}
