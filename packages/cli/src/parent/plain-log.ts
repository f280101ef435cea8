import { writeSync } from 'node:fs';
import { visibleJson } from '@fleetflame/profile/visible-text';

/** What the parent and the agent's process need of a logger: pino's is one. */
export interface PlainLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Lines as createLogger writes them, without the memory of a logger: the parent has little to say. */
export function plainLog(role: string, level: string): PlainLog {
  const line = (name: string) => (fields: object, message: string) => {
    if (LEVELS.indexOf(name) < LEVELS.indexOf(level)) return;
    const entry = { level: name, time: new Date().toISOString(), role, ...fields, msg: message };
    try {
      writeSync(2, `${visibleJson(JSON.stringify(entry))}\n`);
    } catch {
      // Nobody reads it any more; that is no reason to end.
    }
  };
  return { info: line('info'), warn: line('warn'), error: line('error') };
}
