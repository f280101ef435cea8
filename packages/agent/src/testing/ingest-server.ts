import http2 from 'node:http2';
import type { Server } from 'node:net';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { ERROR_CODE_HEADER } from '@fleetflame/profile';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';

/** An ingest on loopback that keeps what it gets in memory, once per (agent_id, seq). */
export class IngestServer {
  /** agent_id/seq → block. */
  readonly kept = new Map<string, Uint8Array>();
  calls = 0;
  /** Called for every write, before it is kept; may throw. */
  before: (call: number, key: string) => void = () => undefined;
  /** Called after it was kept; may throw, as when the answer is lost. */
  after: (call: number) => void = () => undefined;
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  readonly #server: http2.Http2Server;

  /** routes: other services on the same port. */
  constructor(routes: (router: ConnectRouter) => void = () => undefined) {
    this.#server = http2.createServer(
      connectNodeAdapter({
        routes: (router) => {
          routes(router);
          router.service(IngestService, {
            write: ({ agentId, seq, block }) => {
              const call = ++this.calls;
              const key = `${agentId}/${seq}`;
              this.before(call, key);
              const known = this.kept.get(key);
              const duplicate = known !== undefined;
              if (!duplicate) this.kept.set(key, block);
              else if (Buffer.compare(known, block) !== 0) {
                throw new ConnectError('another content', Code.AlreadyExists, {
                  [ERROR_CODE_HEADER]: 'conflict',
                });
              }
              this.after(call);
              return { duplicate };
            },
          });
        },
      }),
    );
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
    });
  }

  /** Returns its URL. */
  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return portOf(this.#server);
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a port');
  return address.port;
}
