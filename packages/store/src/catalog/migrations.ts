/**
 * The catalog's schema, step by step, in SQL that SQLite and PostgreSQL both take. Step n brings
 * version n to n + 1. A step that has been released is never edited; what changes gets a new one.
 *
 * Steps only add, and what they add has a default: while roles are restarted one by one, those of the
 * version before go on writing and reading.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `create table blocks (
      id text primary key,
      object_key text not null unique,
      level integer not null,
      time_min_ms bigint not null,
      time_max_ms bigint not null,
      size_bytes bigint not null,
      sample_rows bigint not null,
      created_ms bigint not null,
      deleted_ms bigint,
      removed_ms bigint
    )`,
    `create index blocks_live_by_time on blocks (time_max_ms, time_min_ms) where deleted_ms is null`,
    `create index blocks_deleted on blocks (deleted_ms) where deleted_ms is not null`,
    `create table batches (
      agent_id text not null,
      seq bigint not null,
      block_id text not null,
      committed_ms bigint not null,
      primary key (agent_id, seq)
    )`,
    `create index batches_by_time on batches (committed_ms)`,
    `create table quarantine (
      block_id text primary key,
      reason text not null,
      since_ms bigint not null
    )`,
  ],
  [
    `alter table blocks add column tenant text not null default 'default'`,
    // Which shard of how many: a segment is shard 0 of 1, which holds everything.
    `alter table blocks add column shard integer not null default 0`,
    `alter table blocks add column shards integer not null default 1`,
    // 0: times as they were sampled; else the block is a rollup with one point per so many ms.
    `alter table blocks add column resolution_ms bigint not null default 0`,
    // 1: what is in it is in blocks of the next resolution as well.
    `alter table blocks add column rolled_up integer not null default 0`,
    // The labels that a rollup has summed over, sorted, with commas.
    `alter table blocks add column dropped_labels text not null default ''`,
    // The open job that is going to replace it.
    `alter table blocks add column job_id text`,
    `create index blocks_live_by_level on blocks (level, time_min_ms) where deleted_ms is null`,
    `create index blocks_by_job on blocks (job_id) where job_id is not null`,
    `create table jobs (
      id text primary key,
      kind text not null,
      subject text not null,
      payload text not null,
      priority bigint not null,
      lease bigint not null default 0,
      owner text not null default '',
      lease_until_ms bigint not null default 0,
      not_before_ms bigint not null,
      attempts integer not null default 0,
      last_error text not null default '',
      created_ms bigint not null,
      started_ms bigint not null default 0,
      ended_ms bigint not null default 0,
      outcome text
    )`,
    `create index jobs_open on jobs (kind, priority, id) where outcome is null`,
    `create index jobs_ended on jobs (ended_ms) where outcome is not null`,
  ],
  [
    // Points of its samples, 0: not counted. What a merge takes in memory goes by them.
    `alter table blocks add column points bigint not null default 0`,
  ],
  [
    // What the batch held (ContentHash): a repeat holds the same. Null: it was committed before this was kept.
    `alter table batches add column content text`,
  ],
];

export const SCHEMA_VERSION = MIGRATIONS.length;
