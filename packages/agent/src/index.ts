export { type Agent, type AgentOptions, startAgent } from './agent.ts';
export { FilterSource, type FilterOptions, type FilterStatus } from './filter/filter-source.ts';
export { stalledReason } from './stalled.ts';
export type { AgentStats } from './agent-stats.ts';
export { DEFAULT_SPOOL_MAX_BYTES } from './spool/spool.ts';
export { UPLOAD_WHAT, type UploadRules, type UploadWhat } from './upload/upload-rules.ts';
