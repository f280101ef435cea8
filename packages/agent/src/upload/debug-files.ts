/**
 * Separate debug files, where distributions put them, seen from the process whose binary it is:
 *
 * ```
 * ROOT/usr/lib/debug/.build-id/ab/cdef….debug                       by build id
 * ROOT/DIR/NAME   ROOT/DIR/.debug/NAME   ROOT/usr/lib/debug/DIR/NAME   by .gnu_debuglink, DIR being the binary's folder
 * ROOT/PATH, as .gnu_debugaltlink has it, or by build id              what several debug files share (dwz)
 * ```
 * A file counts when its build id is the right one, or, where the binary has none, its checksum. Paths may lead
 * anywhere by links that a container made: that costs an open, since nothing but a file with the right id is used.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  elfConstants,
  ElfError,
  ElfFile,
  readDebugAltLink,
  readDebugLink,
  type ByteSource,
} from '@fleetflame/elf';
import { fileSource } from '../binaries/file-source.ts';

export interface DebugFile {
  readonly fd: number;
  readonly path: string;
}

export interface DebugSearch {
  /** Of the binary within its root. */
  readonly path: string;
  /** Where the file systems begin that may have it: of the process, of the host. */
  readonly roots: readonly string[];
}

const DEBUG_FOLDER = 'usr/lib/debug';
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
/** Read to compute a checksum, at once. */
const CHECKSUM_BYTES = 1024 * 1024;
/** Larger files are not read just for a checksum. */
const MAX_CHECKSUM_FILE_BYTES = 1024 * 1024 * 1024;

/** The debug file of a binary: open, and the caller's to close. */
export function findDebugFile(binary: ElfFile, search: DebugSearch): DebugFile | undefined {
  const { buildId } = binary;
  const link = linkOf(binary, readDebugLink);
  const isRight = (file: ElfFile): boolean => {
    if (!hasDebugInfo(file)) return false;
    if (buildId !== undefined) return file.buildId === buildId;
    return link !== undefined && checksumOf(file.source) === link.crc32;
  };
  return firstThat(debugPaths(buildId, link?.fileName, search), false, isRight);
}

/** What the debug information refers to, if it is there. */
export function findSupplement(
  debug: ElfFile,
  debugPath: string,
  search: DebugSearch,
): { readonly buildId: string; readonly file: DebugFile | undefined } | undefined {
  const link = linkOf(debug, readDebugAltLink);
  if (link === undefined) return undefined;
  const paths = search.roots.flatMap((root) => [
    isAbsolute(link.path) ? join(root, link.path) : join(dirname(debugPath), link.path),
    join(root, buildIdPath(link.buildId)),
  ]);
  const file = firstThat(paths, true, (one) => one.buildId === link.buildId && hasDebugInfo(one));
  return { buildId: link.buildId, file };
}

function debugPaths(
  buildId: string | undefined,
  linkName: string | undefined,
  { path, roots }: DebugSearch,
): string[] {
  const folder = dirname(path);
  return roots.flatMap((root) => [
    ...(buildId === undefined ? [] : [join(root, buildIdPath(buildId))]),
    ...(linkName === undefined || !isAbsolute(path)
      ? []
      : [
          join(root, folder, linkName),
          join(root, folder, '.debug', linkName),
          join(root, DEBUG_FOLDER, folder, linkName),
        ]),
  ]);
}

function buildIdPath(buildId: string): string {
  return join(DEBUG_FOLDER, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`);
}

function linkOf<T>(file: ElfFile, read: (file: ElfFile) => T | undefined): T | undefined {
  try {
    return read(file);
  } catch (error) {
    // A broken link leads nowhere.
    if (error instanceof ElfError) return undefined;
    throw error;
  }
}

function hasDebugInfo(file: ElfFile): boolean {
  return file.sections.some(
    ({ name, type, size }) =>
      (name === '.debug_info' || name === '.zdebug_info') && type !== elfConstants.SHT_NOBITS && size > 0,
  );
}

function firstThat(
  paths: readonly string[],
  relocatable: boolean,
  isRight: (file: ElfFile) => boolean,
): DebugFile | undefined {
  for (const path of new Set(paths)) {
    let fd: number;
    try {
      fd = openSync(path, FLAGS);
    } catch {
      continue;
    }
    try {
      if (fstatSync(fd).isFile() && isRight(ElfFile.parse(fileSource(fd), { relocatable })))
        return { fd, path };
    } catch (error) {
      if (!(error instanceof ElfError)) {
        closeSync(fd);
        throw error;
      }
    }
    closeSync(fd);
  }
  return undefined;
}

/** CRC-32 of the whole file; NaN, which equals nothing, when it is too large. */
function checksumOf(source: ByteSource): number {
  if (source.size > MAX_CHECKSUM_FILE_BYTES) return Number.NaN;
  let checksum = 0;
  for (let at = 0; at < source.size; at += CHECKSUM_BYTES) {
    checksum = crc32(source.read(at, Math.min(CHECKSUM_BYTES, source.size - at)), checksum);
  }
  return checksum;
}
