/** A SymbolStorage in a directory, with the rule of the product's: what is written stays as it is. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import type { SymbolStorage } from '../symbol-storage.ts';

/** Where files are until they are whole. */
const TEMPORARY = '.tmp';

export function directoryStorage(root: string): SymbolStorage {
  return {
    async put(key, bytes) {
      const path = join(root, key);
      const temporary = join(root, TEMPORARY, randomBytes(8).toString('hex'));
      for (const folder of [dirname(path), dirname(temporary)]) await mkdir(folder, { recursive: true });
      await writeFile(temporary, bytes);
      try {
        // Of two that write one key at once, one is first, and nobody reads a part.
        await link(temporary, path);
      } catch (error) {
        const before = await readFile(path).catch(() => undefined);
        if (before === undefined) throw new FleetflameError('unavailable', `${key} went`, { cause: error });
        if (!before.equals(bytes))
          throw new FleetflameError('invalid_input', `${key} exists with other bytes`);
      } finally {
        await rm(temporary);
      }
    },
    async get(key) {
      try {
        return await readFile(join(root, key));
      } catch (error) {
        throw new FleetflameError('not_found', `${key} is not there`, { cause: error });
      }
    },
    async delete(key) {
      await rm(join(root, key), { force: true });
    },
    async list(prefix) {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(root, join(entry.parentPath, entry.name)))
        .filter((key) => key.startsWith(prefix))
        .toSorted();
    },
  };
}
