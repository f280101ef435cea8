/**
 * `./fleetflame bench NAME [ARGUMENTS]` runs bench/NAME/run.ts, `NAME/FILE` another file of that folder, with the pinned
 * Node: others cannot run TypeScript. Without a name it lists what there is, with the claims of README.md.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = import.meta.dirname;
const USAGE = `./fleetflame bench NAME [ARGUMENTS]        NAME is a folder, or folder/file; each README.md has the arguments\n`;

/** The rows of README.md's table; of each folder the command lines that its README has. */
function listing(): string {
  const claims = new Map(
    [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^\| \[(\S+)\]\(.*?\) \| (.*) \|$/gm)].map(
      ([, name = '', claim = '']) => [name, claim] as const,
    ),
  );
  const lines: string[] = [];
  for (const [folder, claim] of claims) {
    lines.push(`  ${folder.padEnd(15)} ${claim}`);
    const readme = readFileSync(join(ROOT, folder, 'README.md'), 'utf8');
    for (const script of scripts(folder)) {
      const name = script === 'run' ? folder : `${folder}/${script}`;
      const usage = new RegExp(`fleetflame bench ${name}(?= |$|\`)([^\`\\n]*)`, 'm').exec(readme)?.[1];
      if (usage !== undefined) lines.push(`  ${''.padEnd(15)}   ${name}${usage.replace(/\s+#.*/, '')}`);
    }
  }
  return lines.join('\n');
}

function scripts(folder: string): string[] {
  return globSync('*.ts', { cwd: join(ROOT, folder) })
    .map((file) => file.slice(0, -'.ts'.length))
    .toSorted((a, b) => Number(b === 'run') - Number(a === 'run') || a.localeCompare(b));
}

const [name = '--help', ...rest] = process.argv.slice(2);
if (name === '--help' || name === '-h') {
  console.log(`${USAGE}\n${listing()}`);
} else {
  const [folder = '', script = 'run', ...more] = name.split('/');
  const folders = globSync('*/run.ts', { cwd: ROOT }).map((path) => path.split('/')[0]);
  if (!folders.includes(folder) || more.length > 0 || !scripts(folder).includes(script)) {
    console.error(
      `error: there is no benchmark ${JSON.stringify(name)}: ./fleetflame bench --help lists them`,
    );
    process.exit(2);
  }
  const file = join(ROOT, folder, `${script}.ts`);
  process.argv.splice(1, process.argv.length - 1, file, ...rest);
  await import(file);
}
