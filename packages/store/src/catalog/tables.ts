/** Rows of the catalog's tables, for kysely's types. Times are Unix ms. */
export interface Tables {
  meta: MetaRow;
  blocks: BlockRow;
  batches: BatchRow;
  quarantine: QuarantineRow;
  jobs: JobRow;
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
  tenant: string;
  shard: number;
  shards: number;
  resolution_ms: number;
  rolled_up: number;
  dropped_labels: string;
  job_id: string | null;
  points: number;
}

export interface BatchRow {
  agent_id: string;
  /** At most 2^53 - 1, see MAX_SEQ. */
  seq: number;
  block_id: string;
  committed_ms: number;
  content: string | null;
}

export interface QuarantineRow {
  block_id: string;
  reason: string;
  since_ms: number;
}

export interface JobRow {
  id: string;
  kind: string;
  /** What it is about, for people. */
  subject: string;
  /** JSON, for whoever does it. */
  payload: string;
  /** Smaller first: stored bytes that it reads. */
  priority: number;
  /** How often it was leased; who holds an earlier one is fenced out. */
  lease: number;
  owner: string;
  /** 0: nobody has it. */
  lease_until_ms: number;
  not_before_ms: number;
  /** Leases since it last succeeded. */
  attempts: number;
  last_error: string;
  created_ms: number;
  started_ms: number;
  ended_ms: number;
  /** Null while it is open. */
  outcome: string | null;
}
