import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { openCatalog } from './open-catalog.ts';

test('a file that is no database is an error that names it', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'catalog.db');
  writeFileSync(path, 'this is not a database, and long enough to be read as one');
  await expect(openCatalog({ engine: 'sqlite', path })).rejects.toMatchObject({ code: 'corrupt_data' });
});
