import { existsSync } from 'node:fs';
import { FleetflameError } from '@fleetflame/profile';
import type { Registry } from 'prom-client';
import type { Catalog } from './catalog/catalog.ts';
import { openCatalog } from './catalog/open-catalog.ts';
import { ObjectMetrics } from './objects/object-metrics.ts';
import type { ObjectStore } from './objects/object-store.ts';
import { createObjectStore } from './objects/open-object-store.ts';
import { chooseEngines, lockDirectories, type EngineOptions } from './store-engines.ts';

export interface OfflineStore {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  /** Unix ms, by the catalog. */
  readonly nowMs: number;
}

/**
 * Objects and catalog of a store that is not running, whether or not they belong together, for `work`. Throws unavailable
 * when a process has the directory.
 */
export async function withOfflineStore<T>(
  options: EngineOptions & { readonly registry: Registry },
  work: (store: OfflineStore) => Promise<T>,
): Promise<T> {
  if (options.dataDir !== undefined && !existsSync(options.dataDir)) {
    throw new FleetflameError(
      'invalid_input',
      `There is no directory ${options.dataDir}: --data names that of a store.`,
      {
        field: 'data',
      },
    );
  }
  const { objects: objectsConfig, catalog: catalogConfig } = chooseEngines(options);
  const release = await lockDirectories(options.dataDir, catalogConfig);
  let objects: ObjectStore | undefined;
  let catalog: Catalog | undefined;
  try {
    objects = await createObjectStore(objectsConfig, new ObjectMetrics(options.registry).record);
    catalog = await openCatalog(catalogConfig);
    return await work({ objects, catalog, nowMs: await catalog.clockMs() });
  } finally {
    await catalog?.close();
    objects?.close();
    release();
  }
}
