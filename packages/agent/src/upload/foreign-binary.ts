import type { ForeignFile, ForeignFiles } from '@fleetflame/bpf';
import { foreignSource } from '../binaries/foreign-source.ts';
import type { BinaryToUpload } from './prepare-upload.ts';

/** A binary of a process, as it is handed to another thread. */
export interface ForeignBinary {
  readonly buildId: string;
  readonly path: string;
  readonly pid: number;
  readonly file: ForeignFile;
}

/** A binary whose debug files are looked for below the root of its process, then below that of the host. */
export function foreignBinary(
  files: ForeignFiles,
  { buildId, path, pid, file }: ForeignBinary,
): BinaryToUpload {
  return {
    buildId,
    path,
    source: foreignSource(files, file),
    bases: ['root', 'host'],
    open(base, name) {
      const opened = files.openPath(pid, base, name, { links: true });
      if (typeof opened === 'string') return undefined;
      return { source: foreignSource(files, opened), close: () => files.close(opened) };
    },
  };
}
