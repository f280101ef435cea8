import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Creates the directory when it is missing and removes its oldest files until at most `maxBytes` are
 * left. Returns how many files went. For caches: whoever misses a file makes it anew.
 */
export async function pruneDirectory(directory: string, maxBytes: number): Promise<number> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const files: { readonly path: string; readonly sizeBytes: number; readonly modifiedMs: number }[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(directory, entry.name);
    const { size, mtimeMs } = await stat(path);
    files.push({ path, sizeBytes: size, modifiedMs: mtimeMs });
  }
  files.sort((a, b) => b.modifiedMs - a.modifiedMs);
  let kept = 0;
  let removed = 0;
  for (const { path, sizeBytes } of files) {
    kept += sizeBytes;
    if (kept <= maxBytes) continue;
    await rm(path, { force: true });
    removed++;
  }
  return removed;
}
