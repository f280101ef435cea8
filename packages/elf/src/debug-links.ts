/** Where a stripped binary or a debug file says that the rest of its debug information is. */
import { SHT_NOBITS } from './constants.ts';
import { ElfError } from './elf-error.ts';
import type { ElfFile, ElfSection } from './elf-file.ts';
import { alignUp, readCopy, stringAt, viewOf } from './internal/fields.ts';

/** .gnu_debuglink: a name without folders, and what the CRC-32 (of zlib) of the whole file must be. */
export interface DebugLink {
  readonly fileName: string;
  readonly crc32: number;
}

/** .gnu_debugaltlink: a file that several debug files share (made by dwz), known by its build id. */
export interface DebugAltLink {
  readonly path: string;
  /** Lower-case hex. */
  readonly buildId: string;
}

/** A path of the longest kind and a build id fit well. */
const MAX_LINK_BYTES = 8192;

/** @throws ElfError when the section is broken */
export function readDebugLink(file: ElfFile): DebugLink | undefined {
  const bytes = contents(file, '.gnu_debuglink');
  if (bytes === undefined) return undefined;
  const nameBytes = lengthOfName(bytes, '.gnu_debuglink');
  const crcAt = alignUp(nameBytes + 1, 4);
  const fileName = stringAt(bytes, 0, nameBytes) ?? '';
  if (crcAt + 4 > bytes.length) throw new ElfError('.gnu_debuglink ends before its checksum');
  if (fileName === '' || fileName === '.' || fileName === '..' || /[/\0]/.test(fileName)) {
    throw new ElfError(
      `.gnu_debuglink names ${JSON.stringify(fileName.slice(0, 80))}, which is no file name`,
    );
  }
  return { fileName, crc32: viewOf(bytes).getUint32(crcAt, true) };
}

/** @throws ElfError when the section is broken */
export function readDebugAltLink(file: ElfFile): DebugAltLink | undefined {
  const bytes = contents(file, '.gnu_debugaltlink');
  if (bytes === undefined) return undefined;
  const nameBytes = lengthOfName(bytes, '.gnu_debugaltlink');
  const id = bytes.subarray(nameBytes + 1);
  if (id.length < 4 || id.length > 64) {
    throw new ElfError(`.gnu_debugaltlink has a build id of ${id.length} bytes: 4 to 64 are usual`);
  }
  return {
    path: stringAt(bytes, 0, nameBytes) ?? '',
    buildId: Array.from(id, (byte) => byte.toString(16).padStart(2, '0')).join(''),
  };
}

function contents(file: ElfFile, name: string): Uint8Array | undefined {
  const section: ElfSection | undefined = file.section(name);
  if (section === undefined || section.type === SHT_NOBITS) return undefined;
  if (section.size > MAX_LINK_BYTES)
    throw new ElfError(`${name} has ${section.size} bytes: no path is that long`);
  return readCopy(file.source, section.offset, section.size, `section ${name}`);
}

function lengthOfName(bytes: Uint8Array, name: string): number {
  const end = bytes.indexOf(0);
  if (end < 0) throw new ElfError(`${name} has a file name without end`);
  return end;
}
