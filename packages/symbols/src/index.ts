export type { BinaryRecord } from './binary-record.ts';
export { isBuildId } from './build-id.ts';
export {
  convertBinary,
  type Conversion,
  type SupplementaryFile,
  type SymbolSource,
} from './convert/convert-binary.ts';
export { createSymbols, type Symbols, type SymbolsOptions } from './create-symbols.ts';
export { SYMBOL_LIMITS } from './limits.ts';
export type { SymbolStorage } from './symbol-storage.ts';
export { SymbolStore, type SymbolStoreOptions } from './symbol-store.ts';
export { SymbolTable, type FunctionIndex, type SymbolColumns } from './symbol-table.ts';
export { decodeSymbolTable } from './decode-symbol-table.ts';
export { encodeSymbolTable } from './encode-symbol-table.ts';
