import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBlock, type Block } from '@fleetflame/profile';

/** The batches that `capture` has kept, oldest first; `most` spread over all of them. */
export async function readCaptured(directory: string, most: number): Promise<Block[]> {
  const batches = join(directory, 'batches');
  const names = (await readdir(batches)).sort();
  if (names.length === 0) throw new Error(`${batches} is empty: capture for at least 30 seconds`);
  const step = Math.max(1, names.length / most);
  const chosen = new Set(Array.from({ length: most }, (_, i) => names[Math.floor(i * step)]));
  const blocks: Block[] = [];
  for (const name of chosen) {
    if (name !== undefined) blocks.push(decodeBlock(await readFile(join(batches, name))));
  }
  return blocks;
}
