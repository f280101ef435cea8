/** What is needed of an object store; `store.objects` fits. Keys are written once. */
export interface SymbolStorage {
  put(key: string, bytes: Uint8Array): Promise<void>;
  get(key: string): Promise<Uint8Array>;
  /** Keys that start with `prefix`, ascending. */
  list(prefix: string): Promise<readonly string[]>;
}
