export { AnswerSlot } from './answer-slot.ts';
export { createQuery } from './query.ts';
export type { Query, QueryOptions, QueryStore, QuerySymbolStore } from './query.ts';
export { QUERY_LIMITS } from './limits.ts';
export type { QueryLimits } from './limits.ts';
