/** The engines that tests of the catalog run on, and fresh places for catalogs in them. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import type { Catalog } from '../catalog/catalog.ts';
import { openCatalog, type CatalogConfig } from '../catalog/open-catalog.ts';
import type { PostgresLimits } from '../catalog/postgres.ts';
import { MemoryCatalog } from './memory-catalog.ts';
import { PostgresServer } from './postgres-server.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export const ENGINES = ['sqlite', 'postgres'] as const;
/** The contract holds for the simulations' catalog, too. */
export const CONTRACTED = [...ENGINES, 'memory'] as const;

/** An empty place for one catalog. */
export interface EmptyPlace extends Disposable {
  open(): Promise<Catalog & AsyncDisposable>;
}

/** One in a database. */
export interface CatalogPlace extends EmptyPlace {
  readonly config: CatalogConfig;
  /** Runs statements beside the catalog, as a person with a shell would. */
  execute(statements: string): Promise<void>;
}

/** The same one each time that it is opened. */
export function memoryPlace(): EmptyPlace {
  const catalog = Object.assign(new MemoryCatalog(), { [Symbol.asyncDispose]: () => Promise.resolve() });
  return { open: () => Promise.resolve(catalog), [Symbol.dispose]: () => undefined };
}

export class TestEngine implements AsyncDisposable {
  readonly name: (typeof ENGINES)[number];
  readonly postgres: PostgresServer | undefined;

  private constructor(name: (typeof ENGINES)[number], postgres: PostgresServer | undefined) {
    this.name = name;
    this.postgres = postgres;
  }

  static async start(name: (typeof ENGINES)[number]): Promise<TestEngine> {
    return new TestEngine(name, name === 'postgres' ? await PostgresServer.start() : undefined);
  }

  async newPlace(limits: Partial<PostgresLimits> = {}): Promise<CatalogPlace> {
    if (this.postgres === undefined) return sqlitePlace();
    const url = await this.postgres.createDatabase();
    return place(
      { engine: 'postgres', url, limits },
      () => undefined,
      async (statements) => {
        const client = new Client({ connectionString: url });
        await client.connect();
        await client.query(statements);
        await client.end();
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.postgres?.[Symbol.asyncDispose]();
  }
}

function sqlitePlace(): CatalogPlace {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'catalog.db');
  const execute = (statements: string): Promise<void> => {
    const database = new DatabaseSync(path);
    database.exec(statements);
    database.close();
    return Promise.resolve();
  };
  return place({ engine: 'sqlite', path }, () => directory[Symbol.dispose](), execute);
}

function place(
  config: CatalogConfig,
  dispose: () => void,
  execute: (statements: string) => Promise<void>,
): CatalogPlace {
  return {
    config,
    execute,
    async open() {
      const catalog = await openCatalog(config);
      return Object.assign(catalog, { [Symbol.asyncDispose]: () => catalog.close() });
    },
    [Symbol.dispose]: dispose,
  };
}
