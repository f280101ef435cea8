import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';

const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

export interface SystemBinary {
  readonly path: string;
  readonly sizeBytes: number;
}

/** The ELF files in some directories, the smallest first; links are passed over. */
export function systemBinaries(directories: readonly string[]): SystemBinary[] {
  const found = directories.flatMap((directory) =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => `${directory}/${name}`)
      .filter(isElf)
      .map((path) => ({ path, sizeBytes: statSync(path).size })),
  );
  return found.sort((a, b) => a.sizeBytes - b.sizeBytes);
}

function isElf(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const magic = Buffer.alloc(ELF_MAGIC.length);
    return readSync(fd, magic, 0, magic.length, 0) === magic.length && magic.equals(ELF_MAGIC);
  } finally {
    closeSync(fd);
  }
}
