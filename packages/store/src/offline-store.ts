import { existsSync } from 'node:fs';
import { FleetflameError } from '@fleetflame/profile';
import type { Registry } from 'prom-client';
import type { Catalog } from './catalog/catalog.ts';
import { openCatalog } from './catalog/open-catalog.ts';
import { ObjectMetrics } from './objects/object-metrics.ts';
import type { ObjectStore } from './objects/object-store.ts';
import { nameRemedies, withRemedies } from './copies/name-remedies.ts';
import type { CatalogConfig } from './catalog/open-catalog.ts';
import { createObjectStore } from './objects/open-object-store.ts';
import { chooseEngines, lockDirectories, type EngineOptions } from './store-engines.ts';

export interface OfflineStore {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  /** Unix ms, by the catalog. */
  readonly nowMs: number;
  /** Servers may use the catalog all the same: no lock keeps them away. */
  readonly isShared: boolean;
}

export interface OfflineObjects {
  readonly objects: ObjectStore;
  /** Not opened. */
  readonly catalogConfig: CatalogConfig;
}

export type OfflineOptions = EngineOptions & { readonly registry: Registry };

/**
 * Objects and catalog of a store that is not running, whether or not they belong together, for `work`. Throws unavailable
 * when a process has the directory.
 */
export async function withOfflineStore<T>(
  options: OfflineOptions,
  work: (store: OfflineStore) => Promise<T>,
): Promise<T> {
  return await withOfflineObjects(options, async ({ objects, catalogConfig }) => {
    const remedies = (): Promise<string> => nameRemedies(objects, catalogConfig.engine, Date.now());
    const catalog = await withRemedies(openCatalog(catalogConfig), remedies);
    try {
      const isShared = catalogConfig.engine !== 'sqlite';
      return await work({ objects, catalog, nowMs: await catalog.clockMs(), isShared });
    } finally {
      await catalog.close();
    }
  });
}

/** Likewise, whatever its catalog is. */
export async function withOfflineObjects<T>(
  options: OfflineOptions,
  work: (store: OfflineObjects) => Promise<T>,
): Promise<T> {
  const { dataDir, objects: named, catalog: namedCatalog } = options;
  // With both elsewhere a data directory has nothing of the store.
  const isElsewhere = named !== undefined && namedCatalog !== undefined;
  if (dataDir !== undefined && !isElsewhere && !existsSync(dataDir)) {
    throw new FleetflameError(
      'invalid_input',
      `There is no directory ${dataDir}: --data names that of a store.`,
      {
        field: 'data',
      },
    );
  }
  const { objects: objectsConfig, catalog: catalogConfig } = chooseEngines(options);
  const release = await lockDirectories(isElsewhere ? undefined : dataDir, catalogConfig);
  let objects: ObjectStore | undefined;
  try {
    objects = await createObjectStore(objectsConfig, new ObjectMetrics(options.registry).record);
    return await work({ objects, catalogConfig });
  } finally {
    objects?.close();
    release();
  }
}
