import type { ForeignFile, ForeignFiles, ForeignProblem } from '@fleetflame/bpf';
import { stripDeleted } from '../labels/process-facts.ts';
import { type BinaryImage, readBinaryImage } from './binary-image.ts';
import { ForeignFileError, foreignSource } from './foreign-source.ts';

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
  /** Not ELF, broken, of another machine, or no plain file. */
  | 'not_elf'
  /** Its file system does not answer. */
  | 'hung';

export type OpenedBinary =
  | { readonly file: ForeignFile; readonly image: BinaryImage }
  | { readonly file: undefined; readonly problem: BinaryProblem };

/**
 * Opens a binary by the surest way that still works. map_files leads to the very file that is mapped, also
 * when it was deleted or replaced; the paths lead to what stands there now, so the build id is compared.
 */
export function openBinary(files: ForeignFiles, place: BinaryPlace, samplePid: number): OpenedBinary {
  const path = stripDeleted(place.path);
  const deleted = path !== place.path;
  const ways = [() => files.openMapped(place.pid, place.start, place.end)];
  if (path.startsWith('/') && !deleted) {
    const links = { links: true };
    ways.push(() => files.openPath(place.pid, 'root', path, links));
    if (samplePid !== place.pid) ways.push(() => files.openPath(samplePid, 'root', path, links));
    // The host's own file: the same when build ids say so.
    if (place.buildId !== '') ways.push(() => files.openPath(place.pid, 'host', path, links));
  }
  let problem: BinaryProblem = 'not_found';
  for (const way of ways) {
    const opened = tryOpen(files, way(), place.buildId);
    if (opened.file !== undefined) return opened;
    if (opened.problem !== 'not_found') problem = opened.problem;
    // Another way to it costs another deadline.
    if (opened.problem === 'hung') break;
  }
  return { file: undefined, problem };
}

function tryOpen(
  files: ForeignFiles,
  file: ForeignFile | ForeignProblem,
  wantedBuildId: string,
): OpenedBinary {
  if (typeof file === 'string') return { file: undefined, problem: problemOf(file) };
  let keep = false;
  try {
    const image = readBinaryImage(foreignSource(files, file));
    // The kernel's id is cut to 20 bytes; longer ones begin with it.
    if (wantedBuildId !== '' && !image.buildId.startsWith(wantedBuildId)) {
      return { file: undefined, problem: 'replaced' };
    }
    keep = true;
    return { file, image };
  } catch (error) {
    const hung = error instanceof ForeignFileError && error.problem === 'hung';
    return { file: undefined, problem: hung ? 'hung' : 'not_elf' };
  } finally {
    if (!keep) files.close(file);
  }
}

function problemOf(problem: ForeignProblem): BinaryProblem {
  if (problem === 'hung') return 'hung';
  return problem === 'not_regular' ? 'not_elf' : 'not_found';
}
