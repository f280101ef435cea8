/** Several stores on one catalog in PostgreSQL and one set of objects, each as if it were a process of its own. */
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Catalog } from '../catalog/catalog.ts';
import { openCatalog, type CatalogConfig } from '../catalog/open-catalog.ts';
import { runMerge, type MergeRunner } from '../compaction/merge-task.ts';
import { DirectoryObjectStore } from '../objects/directory-object-store.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { Store, type StoreOptions } from '../store.ts';

export interface SharedPlace {
  readonly directory: string;
  readonly catalog: CatalogConfig;
  readonly clock: { nowMs: number };
}

export interface SharedParts {
  readonly objects?: (objects: ObjectStore) => ObjectStore;
  readonly catalog?: (catalog: Catalog) => Catalog;
  /** Instead of one that does its work at once. */
  readonly merges?: MergeRunner;
}

export async function openShared(
  place: SharedPlace,
  options: Partial<StoreOptions> = {},
  parts: SharedParts = {},
): Promise<Store & AsyncDisposable> {
  const config = { engine: 'directory' as const, root: join(place.directory, 'objects') };
  const directory = await DirectoryObjectStore.create(config.root);
  const objects = parts.objects?.(directory) ?? directory;
  const opened = await openCatalog(place.catalog);
  const merges: MergeRunner = {
    run: (request) => runMerge(request, objects),
    close: () => Promise.resolve(),
  };
  const store = new Store(
    {
      retentionMs: 60 * 86_400_000,
      log: pino({ level: 'silent' }),
      registry: new Registry(),
      now: () => place.clock.nowMs,
      ...options,
    },
    {
      objects,
      objectsConfig: config,
      catalog: parts.catalog?.(opened) ?? opened,
      merges: parts.merges ?? merges,
      release: () => undefined,
    },
  );
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** A process that stands still in one call of its catalog until it is told to go on. */
export interface Held {
  readonly catalog: (catalog: Catalog) => Catalog;
  /** Resolves when it stands still. */
  readonly reached: Promise<void>;
  readonly goOn: () => void;
  /** What the call returned afterwards. */
  readonly results: unknown[];
}

export function heldAt(method: 'commit' | 'swap'): Held {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const results: unknown[] = [];
  const catalog = (target: Catalog): Catalog =>
    new Proxy(target, {
      get(_, name): unknown {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        if (name !== method) return member.bind(target);
        return async (...args: unknown[]): Promise<unknown> => {
          reached.resolve();
          await released.promise;
          const result: unknown = await Reflect.apply(member, target, args);
          results.push(result);
          return result;
        };
      },
    });
  return { catalog, reached: reached.promise, goOn: () => released.resolve(), results };
}
