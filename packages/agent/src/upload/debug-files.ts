/**
 * Separate debug files, where distributions put them, seen from the process whose binary it is:
 *
 * ```
 * ROOT/usr/lib/debug/.build-id/ab/cdef….debug                       by build id
 * ROOT/DIR/NAME   ROOT/DIR/.debug/NAME   ROOT/usr/lib/debug/DIR/NAME   by .gnu_debuglink, DIR being the binary's folder
 * ROOT/PATH, as .gnu_debugaltlink has it, or by build id              what several debug files share (dwz)
 * ```
 * ROOT is that of the process, then that of the host; links and `..` of a container end inside of its own. A file
 * counts when its build id is the right one, or, where the binary has none, its checksum.
 */
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
import { ForeignFileError } from '../binaries/foreign-source.ts';

/** Where a path begins: the root directory of the process whose binary it is, or that of the host. */
export type DebugBase = 'root' | 'host';

/** A path below one of them. */
interface Place {
  readonly base: DebugBase;
  readonly path: string;
}

export interface OpenSource {
  readonly source: ByteSource;
  close(): void;
}

export interface DebugFile extends Place, OpenSource {}

/** How debug files are looked for and opened. */
export interface DebugSearch {
  /** Of the binary within its root. */
  readonly path: string;
  readonly bases: readonly DebugBase[];
  /** Undefined: no plain file is there, or it cannot be opened. */
  open(base: DebugBase, path: string): OpenSource | undefined;
}

const DEBUG_FOLDER = '/usr/lib/debug';
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
  return firstThat(search, debugPlaces(buildId, link?.fileName, search), false, isRight);
}

/** What the debug information refers to, if it is there. */
export function findSupplement(
  debug: ElfFile,
  /** Where `debug` is; undefined for the binary itself. */
  place: DebugFile | undefined,
  search: DebugSearch,
): { readonly buildId: string; readonly file: DebugFile | undefined } | undefined {
  const link = linkOf(debug, readDebugAltLink);
  if (link === undefined) return undefined;
  const places: Place[] = [];
  for (const base of search.bases) {
    const from = place?.path ?? search.path;
    places.push(
      { base, path: isAbsolute(link.path) ? link.path : join('/', dirname(from), link.path) },
      { base, path: buildIdPath(link.buildId) },
    );
  }
  const file = firstThat(search, places, true, (one) => one.buildId === link.buildId && hasDebugInfo(one));
  return { buildId: link.buildId, file };
}

function debugPlaces(
  buildId: string | undefined,
  linkName: string | undefined,
  { path: binaryPath, bases }: DebugSearch,
): Place[] {
  const folder = dirname(binaryPath);
  return bases.flatMap((base) => {
    const byId = buildId === undefined ? [] : [buildIdPath(buildId)];
    const byName =
      linkName === undefined || !isAbsolute(binaryPath)
        ? []
        : [join(folder, linkName), join(folder, '.debug', linkName), join(DEBUG_FOLDER, folder, linkName)];
    return [...byId, ...byName].map((path) => ({ base, path }));
  });
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
  search: DebugSearch,
  places: readonly Place[],
  relocatable: boolean,
  isRight: (file: ElfFile) => boolean,
): DebugFile | undefined {
  for (const { base, path } of places) {
    const opened = search.open(base, path);
    if (opened === undefined) continue;
    let keep = false;
    try {
      keep = isRight(ElfFile.parse(opened.source, { relocatable }));
      if (keep) return { base, path, source: opened.source, close: () => opened.close() };
    } catch (error) {
      // The next place may answer.
      if (!(error instanceof ElfError || error instanceof ForeignFileError)) throw error;
    } finally {
      if (!keep) opened.close();
    }
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
