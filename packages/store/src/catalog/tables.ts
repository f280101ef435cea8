/** Rows of the catalog's tables, for kysely's types. Times are Unix ms. */
export interface Tables {
  meta: MetaRow;
  blocks: BlockRow;
  batches: BatchRow;
  quarantine: QuarantineRow;
}

export interface MetaRow {
  name: string;
  value: string;
}

export interface BlockRow {
  id: string;
  object_key: string;
  level: number;
  time_min_ms: number;
  time_max_ms: number;
  size_bytes: number;
  sample_rows: number;
  created_ms: number;
  deleted_ms: number | null;
  removed_ms: number | null;
}

export interface BatchRow {
  agent_id: string;
  /** At most 2^53 - 1, see MAX_SEQ. */
  seq: number;
  block_id: string;
  committed_ms: number;
}

export interface QuarantineRow {
  block_id: string;
  reason: string;
  since_ms: number;
}
