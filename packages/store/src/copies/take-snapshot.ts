import { Worker } from 'node:worker_threads';
import { FleetflameError } from '@fleetflame/profile';

export interface SnapshotRequest {
  readonly from: string;
  /** Must not be there. */
  readonly to: string;
}

/** What the copy says of itself. */
export interface CatalogSnapshot {
  readonly storeId: string;
  readonly schemaVersion: number;
  readonly blocks: number;
  readonly newestSampleMs: number;
}

/** A consistent copy of the SQLite database `from` as the file `to`, by a thread of its own. Throws unavailable. */
export async function takeSnapshot(request: SnapshotRequest): Promise<CatalogSnapshot> {
  const worker = new Worker(new URL('./snapshot-worker.ts', import.meta.url), {
    name: 'catalog copy',
    workerData: request,
  });
  return await new Promise((resolve, reject) => {
    const fail = (detail: string, cause?: unknown): void =>
      reject(new FleetflameError('unavailable', `The catalog cannot be copied: ${detail}`, { cause }));
    worker.once('message', resolve);
    worker.once('error', (error: unknown) => {
      fail(error instanceof Error ? error.message : String(error), error);
    });
    worker.once('exit', () => fail('its thread ended'));
  });
}
