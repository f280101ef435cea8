import type { Logger } from 'pino';
import type { DoorMetrics } from './door-metrics.ts';

/** What a process whose state nobody knows may still take to say so. */
const LAST_WORDS_MS = 200;

/**
 * An error that nobody caught: what it has left half done nobody knows, so the process says why and ends. What was
 * acknowledged is durable; who started the process starts it again.
 */
export function endOnUncaught(log: Logger, metrics: DoorMetrics): void {
  const end = (error: unknown, kind: string): void => {
    metrics.uncaught.inc();
    log.fatal({ err: error, kind }, 'an error that nobody caught: the process ends');
    process.exitCode = 1;
    setTimeout(() => process.exit(1), LAST_WORDS_MS);
  };
  process.on('uncaughtException', (error) => end(error, 'exception'));
  process.on('unhandledRejection', (error) => end(error, 'rejection'));
}
