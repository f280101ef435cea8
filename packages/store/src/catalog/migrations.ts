/**
 * The catalog's schema, step by step, in SQL that SQLite and PostgreSQL both take. Step n brings
 * version n to n + 1. A step that has been released is never edited; what changes gets a new one.
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
];

export const SCHEMA_VERSION = MIGRATIONS.length;
