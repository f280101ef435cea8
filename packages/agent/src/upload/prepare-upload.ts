/** Makes of a binary, and of its debug file if there is one, what is sent: read in parts, never held whole. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { CompactImage, ElfFile, type ByteSource, type NameQuality } from '@fleetflame/elf';
import { SymbolQuality } from '@fleetflame/proto/symbols/v1/symbols';
import { findDebugFile, findSupplement, type DebugFile, type DebugSearch } from './debug-files.ts';

/** How much of a binary: with its debug sections, or with its symbols only. */
export type UploadLevel = 'debug' | 'symbols';

export interface BinaryToUpload extends DebugSearch {
  /** Stays the caller's to close. */
  readonly source: ByteSource;
  /** What the product knows the binary by. */
  readonly buildId: string;
}

/** A file that is ready to be sent. */
export interface PreparedUpload {
  readonly buildId: string;
  readonly fileName: string;
  /** Names the bytes: see UploadRequest.content. */
  readonly content: string;
  readonly quality: SymbolQuality;
  readonly supplementary: boolean;
  readonly bytes: ByteSource;
}

export interface PreparedBinary {
  readonly upload: PreparedUpload;
  /** Where its debug sections came from: the debug file's path, '' for the binary itself; undefined without. */
  readonly debugPath: string | undefined;
  /** The file that its debug sections refer to; without `upload` when it was not found. */
  readonly supplement: { readonly buildId: string; readonly upload: PreparedUpload | undefined } | undefined;
  /** Closes what was opened here. */
  readonly close: () => void;
}

/** @throws ElfError when the binary is not ELF as read here, or is broken */
export function prepareUpload(binary: BinaryToUpload, level: UploadLevel): PreparedBinary {
  const { source } = binary;
  const opened: DebugFile[] = [];
  const close = (): void => {
    for (const file of opened.splice(0)) file.close();
  };
  try {
    const elf = ElfFile.parse(source);
    const inside = new CompactImage(source, { identity: binary.buildId, debugSections: level === 'debug' });
    const debug = level === 'debug' && inside.quality !== 'dwarf' ? findDebugFile(elf, binary) : undefined;
    if (debug !== undefined) opened.push(debug);
    const debugFile = debug?.source;
    const image =
      debugFile === undefined
        ? inside
        : new CompactImage(source, { identity: binary.buildId, debugSections: true, debugFile });
    const hasDebug = image.quality === 'dwarf';
    const found = hasDebug
      ? findSupplement(debugFile === undefined ? elf : ElfFile.parse(debugFile), debug, binary)
      : undefined;
    if (found?.file !== undefined) opened.push(found.file);
    return {
      upload: {
        buildId: binary.buildId,
        fileName: basename(binary.path),
        content: digest(image.layout()),
        quality: QUALITY[image.quality],
        supplementary: false,
        bytes: image,
      },
      debugPath: hasDebug ? (debug?.path ?? '') : undefined,
      supplement:
        found === undefined
          ? undefined
          : { buildId: found.buildId, upload: found.file && prepareSupplement(found.buildId, found.file) },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Sent as it is: it has nothing but debug sections. */
export function prepareSupplement(
  buildId: string,
  file: { readonly path: string; readonly source: ByteSource },
): PreparedUpload {
  return {
    buildId,
    fileName: basename(file.path),
    content: digest(Buffer.from(`supplementary ${buildId}`)),
    quality: SymbolQuality.DWARF,
    supplementary: true,
    bytes: file.source,
  };
}

export const QUALITY: Readonly<Record<NameQuality, SymbolQuality>> = {
  none: SymbolQuality.UNSPECIFIED,
  dynsym: SymbolQuality.DYNSYM,
  symtab: SymbolQuality.SYMTAB,
  dwarf: SymbolQuality.DWARF,
};

/** The build id and the layout say which bytes they are; to read gigabytes for a digest would cost more than it tells. */
function digest(layout: Uint8Array): string {
  return createHash('sha256').update(layout).digest('hex').slice(0, 32);
}
