/** A TCP proxy before a database that loses what it is told to: the questions, or the answers to them. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class LossyProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #word: Buffer | undefined;
  #loses: 'question' | 'answer' = 'question';
  port = 0;

  private constructor(target: number) {
    this.#server = createServer((client) => this.#forward(client, connect(target, '127.0.0.1')));
  }

  static async start(target: number): Promise<LossyProxy> {
    const proxy = new LossyProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
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

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #forward(client: Socket, server: Socket): void {
    let cutting = false;
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        cut();
      });
    }
    client.on('data', (bytes: Buffer) => {
      if (this.#word !== undefined && bytes.includes(this.#word)) {
        this.#word = undefined;
        cutting = true;
        if (this.#loses === 'question') return cut();
      }
      server.write(bytes);
    });
    server.on('data', (bytes: Buffer) => (cutting ? cut() : client.write(bytes)));
  }
}
