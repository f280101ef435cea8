import { pino, type Logger } from 'pino';

/** JSON lines on standard error, so that standard output stays free for answers. */
export function createLogger(role: string, level: string): Logger {
  return pino(
    {
      level,
      base: { role },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
