/**
 * Packs the cases that a fuzzer found into one file, as replay.h reads it; equal ones once.
 *
 *   node_modules/.bin/node packages/bpf/src/testing/pack-corpus.ts OUTPUT FOLDER
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const MAGIC = 'FFPACK1\n';

const [output, folder] = process.argv.slice(2);
if (output === undefined || folder === undefined) throw new Error('usage: pack-corpus.ts OUTPUT FOLDER');
const cases = readdirSync(folder)
  .map((name) => readFileSync(`${folder}/${name}`))
  .sort((a, b) => a.length - b.length || Buffer.compare(a, b));
const parts = [Buffer.from(MAGIC)];
for (const [i, bytes] of cases.entries()) {
  if (i > 0 && bytes.equals(cases[i - 1]!)) continue;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  parts.push(length, bytes);
}
writeFileSync(output, Buffer.concat(parts));
process.stdout.write(`${(parts.length - 1) / 2} cases, ${Buffer.concat(parts).length} bytes\n`);
