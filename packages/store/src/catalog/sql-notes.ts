/** The notes in SQL; see notes.ts. */
import type { CatalogNotes } from './notes.ts';
import type { Transactor } from './transactor.ts';

/** Behind every name: names are ASCII. */
const LAST = '\u{ffff}';

export class SqlNotes implements CatalogNotes {
  readonly #transactor: Transactor;

  constructor(transactor: Transactor) {
    this.#transactor = transactor;
  }

  async list(prefix: string): Promise<ReadonlyMap<string, string>> {
    return this.#transactor.read('read its notes', async (tx) => {
      const rows = await tx
        .selectFrom('meta')
        .selectAll()
        .where('name', '>=', prefix)
        .where('name', '<', prefix + LAST)
        .execute();
      return new Map(rows.map(({ name, value }) => [name, value]));
    });
  }

  async set(name: string, value: string): Promise<void> {
    await this.#transactor.write('keep a note', (tx) =>
      tx
        .insertInto('meta')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute(),
    );
  }

  async claim(name: string, value: string): Promise<string> {
    return this.#transactor.write('keep a note', async (tx) => {
      await tx
        .insertInto('meta')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
      const row = await tx.selectFrom('meta').select('value').where('name', '=', name).executeTakeFirst();
      return row?.value ?? value;
    });
  }

  async remove(name: string): Promise<void> {
    await this.#transactor.write('forget a note', (tx) =>
      tx.deleteFrom('meta').where('name', '=', name).execute(),
    );
  }
}
