import type { Logger } from 'pino';

/** A start that takes longer than this is not usual. */
const SAY_WAITING_MS = 3000;

/** A start that waits says for what: what does not answer is tried for half a minute. */
export async function patiently<T>(opening: Promise<T>, what: string, log: Logger): Promise<T> {
  const timer = setInterval(() => log.warn(`${what} has not answered yet: trying on`), SAY_WAITING_MS);
  try {
    return await opening;
  } finally {
    clearInterval(timer);
  }
}
