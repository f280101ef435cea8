/** Small facts that belong to a catalog as a whole, by name: rows of its table `meta`. */
export interface CatalogNotes {
  /** Those whose names begin with `prefix`. */
  list(prefix: string): Promise<ReadonlyMap<string, string>>;
  set(name: string, value: string): Promise<void>;
  /** Sets what is not there; returns what is there then, whoever was first. */
  claim(name: string, value: string): Promise<string>;
  remove(name: string): Promise<void>;
}
