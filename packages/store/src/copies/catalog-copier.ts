/** Copies of the catalog in object storage, as a task of maintenance: for a catalog that is a file on one machine. */
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Catalog } from '../catalog/catalog.ts';
import type { JobControls } from '../maintenance/job-controls.ts';
import { NoteFields } from '../maintenance/note-fields.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { pruneCopies } from './prune-copies.ts';
import { writeCopy } from './write-copy.ts';

export interface CopyOptions {
  /** From one copy to the next; 0: none is made. */
  readonly everyMs: number;
  /** So many are kept, the oldest go. */
  readonly kept: number;
}

/**
 * While the sweep has found objects that the catalog does not know, the catalog may be the wrong one, and the older
 * copies the good ones: up to so many times `kept` stay.
 */
const KEPT_IN_DOUBT = 6;
/** The last copy, as a note of the catalog. */
const LAST_COPY = 'copy/last';

export interface CatalogCopierOptions {
  /** The database file. */
  readonly path: string;
  readonly copies: CopyOptions;
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly controls: JobControls;
  readonly log: Logger;
  readonly registry: Registry;
  /** Unix ms. */
  readonly now: () => number;
}

export class CatalogCopier {
  readonly #options: CatalogCopierOptions;
  readonly #copies: Counter<'result'>;

  constructor(options: CatalogCopierOptions) {
    this.#options = options;
    const { registry, catalog, now } = options;
    const startedMs = now();
    this.#copies = new Counter({
      name: 'fleetflame_store_catalog_copies_total',
      help: 'Copies of the catalog into object storage, by how they ended.',
      labelNames: ['result'],
      registers: [registry],
    });
    for (const result of ['ok', 'failed']) this.#copies.inc({ result }, 0);
    const gauge = (name: string, help: string, value: (last: NoteFields | undefined) => number): void =>
      registry.registerMetric(
        new Gauge({
          name,
          help,
          registers: [],
          async collect() {
            this.set(value(await lastCopy(catalog)));
          },
        }),
      );
    gauge(
      'fleetflame_store_catalog_copy_age_seconds',
      'Since the last copy of the catalog into object storage was begun; where there is none, since this process started.',
      (last) => Math.max(0, now() - (last?.number('createdMs') ?? startedMs)) / 1000,
    );
    gauge(
      'fleetflame_store_catalog_copy_bytes',
      'Of the last copy of the catalog, in object storage.',
      (last) => last?.number('storedBytes') ?? 0,
    );
  }

  get everyMs(): number {
    return this.#options.copies.everyMs;
  }

  async run(nowMs: number): Promise<void> {
    const { path, copies, objects, catalog, controls, log } = this.#options;
    try {
      const { name, createdMs, sizeBytes, storedBytes } = await writeCopy(objects, path, nowMs);
      await catalog.notes.set(LAST_COPY, JSON.stringify({ name, createdMs, storedBytes }));
      this.#copies.inc({ result: 'ok' });
      log.debug({ copy: name, sizeBytes, storedBytes }, 'the catalog was copied into object storage');
    } catch (error) {
      this.#copies.inc({ result: 'failed' });
      throw error;
    }
    const inDoubt = (await controls.hold('sweep')) !== undefined;
    await pruneCopies(objects, copies.kept * (inDoubt ? KEPT_IN_DOUBT : 1), nowMs);
  }
}

/** Undefined: there is none, or the catalog does not answer, which others count. */
async function lastCopy(catalog: Catalog): Promise<NoteFields | undefined> {
  try {
    return NoteFields.parse((await catalog.notes.list(LAST_COPY)).get(LAST_COPY));
  } catch {
    return undefined;
  }
}
