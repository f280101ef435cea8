export { createQuery } from './query.ts';
export type { Query, QueryOptions } from './query.ts';
export { QUERY_LIMITS } from './limits.ts';
export type { QueryLimits } from './limits.ts';
export type { QueryStore } from './query-run.ts';
export type { SymbolLookup } from './symbol-lookup.ts';
export type { SymbolSource } from './symbol-source.ts';
