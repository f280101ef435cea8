export { directoryStorage } from './directory-storage.ts';
export { startSymbolServer, uploadFile, type SymbolServer } from './symbol-server.ts';
