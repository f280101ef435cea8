import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { fileSource } from '../binaries/file-source.ts';
import type { DebugSearch } from './debug-files.ts';

/** Debug files of a binary that a person named, on the file systems of this very process. */
export function localFiles(path: string): DebugSearch {
  return {
    path,
    bases: ['host'],
    open(_base, name) {
      let fd: number;
      try {
        fd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      } catch {
        return undefined;
      }
      if (fstatSync(fd).isFile()) return { source: fileSource(fd), close: () => closeSync(fd) };
      closeSync(fd);
      return undefined;
    },
  };
}
