/** A store and an ingest server in a process of their own, to be killed: `node server-child.ts DIR` prints its URL. */
import { writeSync } from 'node:fs';
import { startIngestServer } from './ingest-server.ts';

const server = await startIngestServer(process.argv[2] ?? '', { limits: { segmentMs: 40 } });
server.store.startMaintenance();
writeSync(1, `${server.url}\n`);
