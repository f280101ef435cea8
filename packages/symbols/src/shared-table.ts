/** What a thread needs that works with tables and nothing else: it starts three times as fast as with the whole package. */
export { decodeSharedColumns } from './decode-symbol-table.ts';
export { SymbolTable, type SymbolColumns } from './symbol-table.ts';
