import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const README = fileURLToPath(new URL('README.md', import.meta.url));

/** Replaces one part of README.md, which is between <!-- NAME --> and <!-- end of NAME -->. */
export function writeResults(name: string, text: string): void {
  const start = `<!-- ${name} -->`;
  const end = `<!-- end of ${name} -->`;
  const whole = readFileSync(README, 'utf8');
  const from = whole.indexOf(start);
  const to = whole.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has no part ${name}`);
  writeFileSync(README, `${whole.slice(0, from + start.length)}\n\n${text}\n\n${whole.slice(to)}`);
}
