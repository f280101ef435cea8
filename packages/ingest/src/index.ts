export { createIngest } from './ingest.ts';
export type { Ingest, IngestOptions } from './ingest.ts';
export { INGEST_LIMITS } from './limits.ts';
export type { IngestLimits } from './limits.ts';
