/** The worker thread's main: one consistent copy of a SQLite catalog as a file, and the end. */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { ID_NOTE } from '../identity/id-note.ts';
import type { CatalogSnapshot, SnapshotRequest } from './take-snapshot.ts';

const port = parentPort;
if (port === null) throw new Error('snapshot-worker.ts is the main file of a worker thread');

/**
 * VACUUM INTO reads one snapshot of the WAL: writers go on, and what cannot be read whole is an error instead of a copy
 * of the damage. Pages that the file no longer uses are left behind.
 */
function snapshot({ from, to }: SnapshotRequest): CatalogSnapshot {
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5000 });
  try {
    source.prepare('vacuum into ?').run(to);
  } finally {
    source.close();
  }
  // What it says of itself, and not what the original says by now.
  const copy = new DatabaseSync(to, { readOnly: true });
  try {
    const meta = new Map(
      copy
        .prepare('select name, value from meta')
        .all()
        .map(({ name, value }) => [String(name), String(value)]),
    );
    const live = copy
      .prepare('select count(*) as blocks, max(time_max_ms) as newest from blocks where deleted_ms is null')
      .get();
    return {
      storeId: meta.get(ID_NOTE) ?? '',
      schemaVersion: Number(meta.get('schema_version')),
      blocks: Number(live?.['blocks'] ?? 0),
      newestSampleMs: Number(live?.['newest'] ?? 0),
    };
  } finally {
    copy.close();
  }
}

port.postMessage(snapshot(workerData));
