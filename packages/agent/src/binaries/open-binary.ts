import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { stripDeleted } from '../labels/process-facts.ts';
import { fileSource } from './file-source.ts';
import { type BinaryImage, readBinaryImage } from './binary-image.ts';

/** Where a binary was seen mapped. */
export interface BinaryPlace {
  readonly path: string;
  /** As the kernel found it, or "". */
  readonly buildId: string;
  readonly pid: number;
  readonly start: bigint;
  readonly end: bigint;
}

export type BinaryProblem =
  /** No way to the file any more: the process is gone and the path leads nowhere, or it is forbidden. */
  | 'not_found'
  /** The path leads to another file by now. */
  | 'replaced'
  /** Not ELF, broken, or of another machine. */
  | 'not_elf';

export type OpenedBinary =
  | { readonly fd: number; readonly image: BinaryImage }
  | { readonly fd: undefined; readonly problem: BinaryProblem };

const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Opens a binary by the surest way that still works. map_files leads to the very file that is mapped, also
 * when it was deleted or replaced; the paths lead to what stands there now, so the build id is compared.
 */
export function openBinary(place: BinaryPlace, samplePid: number, procRoot = '/proc'): OpenedBinary {
  const range = `${place.start.toString(16)}-${place.end.toString(16)}`;
  const path = stripDeleted(place.path);
  const deleted = path !== place.path;
  const ways = [join(procRoot, String(place.pid), 'map_files', range)];
  if (path.startsWith('/') && !deleted) {
    ways.push(join(procRoot, String(place.pid), 'root', path));
    if (samplePid !== place.pid) ways.push(join(procRoot, String(samplePid), 'root', path));
    // The host's own file: the same when build ids say so.
    if (place.buildId !== '') ways.push(path);
  }
  let problem: BinaryProblem = 'not_found';
  for (const way of ways) {
    const opened = tryOpen(way, place.buildId);
    if (opened.fd !== undefined) return opened;
    if (opened.problem !== 'not_found') problem = opened.problem;
  }
  return { fd: undefined, problem };
}

function tryOpen(path: string, wantedBuildId: string): OpenedBinary {
  let fd: number;
  try {
    fd = openSync(path, FLAGS);
  } catch {
    return { fd: undefined, problem: 'not_found' };
  }
  let keep = false;
  try {
    if (!fstatSync(fd).isFile()) return { fd: undefined, problem: 'not_elf' };
    const image = readBinaryImage(fileSource(fd));
    // The kernel's id is cut to 20 bytes; longer ones begin with it.
    if (wantedBuildId !== '' && !image.buildId.startsWith(wantedBuildId)) {
      return { fd: undefined, problem: 'replaced' };
    }
    keep = true;
    return { fd, image };
  } catch {
    return { fd: undefined, problem: 'not_elf' };
  } finally {
    if (!keep) closeSync(fd);
  }
}
