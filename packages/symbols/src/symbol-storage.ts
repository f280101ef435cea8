/** What is needed of an object store; `store.objects` fits. */
export interface SymbolStorage {
  /** Keys are written once: the same bytes again are accepted, other bytes under a used key are invalid_input. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Throws not_found. */
  get(key: string): Promise<Uint8Array>;
  /** Keys that start with `prefix`, ascending. */
  list(prefix: string): Promise<readonly string[]>;
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>;
}
