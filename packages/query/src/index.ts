export { createQuery } from './query.ts';
export type { Query, QueryOptions } from './query.ts';
export { QUERY_LIMITS } from './limits.ts';
export type { QueryLimits } from './limits.ts';
export type { QueryStore } from './query-run.ts';
export type { SymbolLookup, SymbolSource } from './symbol-source.ts';
