import { visibleJson } from '@fleetflame/profile';
import { pino, type Logger } from 'pino';

/** JSON lines on standard error, so that standard output stays free for answers. A terminal may show them: names in them cannot steer it. */
export function createLogger(role: string, level: string): Logger {
  const output = pino.destination({ fd: 2, sync: true });
  return pino(
    {
      level,
      base: { role },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => output.write(visibleJson(line)) },
  );
}
