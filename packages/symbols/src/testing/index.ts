export { directoryStorage } from './directory-storage.ts';
export {
  counterOf,
  partOf,
  programUpload,
  startSymbolServer,
  uploadFile,
  wantedOf,
  type SymbolServer,
  type TestUpload,
} from './symbol-server.ts';
