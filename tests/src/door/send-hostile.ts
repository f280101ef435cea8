import { connect } from 'node:net';
import type { HostileConnection } from './hostile-request.ts';

/** Connections that are open at once. */
const AT_ONCE = 48;
/** Who waits for an answer that does not come goes after this. */
const PATIENCE_MS = 150;
const QUIET_MS = 15;

/** Sends them all; resolves with how many requests were in them. */
export async function sendHostile(
  url: string,
  count: number,
  next: () => HostileConnection,
): Promise<number> {
  const { hostname, port } = new URL(url);
  let sent = 0;
  const work = async (): Promise<void> => {
    while (sent < count) {
      const connection = next();
      sent += connection.requests;
      await send(hostname, Number(port), connection);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return sent;
}

async function send(host: string, port: number, { writes, end }: HostileConnection): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect(port, host);
    let quiet: NodeJS.Timeout | undefined;
    const done = (): void => {
      clearTimeout(patience);
      clearTimeout(quiet);
      socket.destroy();
      resolve();
    };
    const patience = setTimeout(done, PATIENCE_MS);
    socket.once('connect', () => {
      for (const bytes of writes) socket.write(bytes);
      if (end === 'half') socket.end();
      if (end === 'reset') socket.resetAndDestroy();
    });
    // Answered, and quiet since: what was sent is read.
    socket.on('data', () => {
      clearTimeout(patience);
      clearTimeout(quiet);
      quiet = setTimeout(done, QUIET_MS);
    });
    socket.once('error', done);
    socket.once('close', done);
  });
}
