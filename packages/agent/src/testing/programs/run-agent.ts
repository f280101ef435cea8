/** An agent in a process of its own, for tests that kill it: `run-agent.ts URL SPOOL`. SIGTERM stops it in good order. */
import { pino } from 'pino';
import { Registry } from 'prom-client';

import { startAgent } from '../../agent.ts';

const [, , serverUrl = '', spoolDir = ''] = process.argv;
const agent = await startAgent({
  serverUrl,
  frequencyHz: 99,
  windowMs: 1000,
  spoolDir,
  log: pino({ level: 'fatal' }),
  registry: new Registry(),
});
process.on('SIGTERM', () => {
  void agent.stop().then(() => process.stdout.write(JSON.stringify(agent.stats())));
});
process.stdout.write('running\n');
