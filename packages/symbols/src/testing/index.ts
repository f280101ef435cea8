export { buildDebugProgram } from './build-debug-program.ts';
export { compareChains, DIFFERENCES, REASONS, type ChainComparison } from './compare-chains.ts';
export { DEBUG_PROGRAMS, RUST_PROGRAMS } from './debug-programs.ts';
export { debugTable } from './debug-table.ts';
export { directoryStorage } from './directory-storage.ts';
export { elfutilsChains, llvmChains } from './other-symbolizers.ts';
export { ownChain } from './own-chain.ts';
export { randomAddresses } from './random-addresses.ts';
export type { SourceFrame } from './source-frame.ts';
export {
  contentOf,
  counterOf,
  partOf,
  programUpload,
  startSymbolServer,
  uploadFile,
  wantedOf,
  type SymbolServer,
  type TestUpload,
} from './symbol-server.ts';
