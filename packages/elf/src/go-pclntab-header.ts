/**
 * The header of Go's function table ("pclntab"), in the four layouts that exist:
 *
 * ```
 *            Go 1.2 … 1.15      1.16, 1.17         1.18, 1.19        1.20 … (since 1.26, text is 0: go-module.ts)
 * magic      fffffffb           fffffffa           fffffff0          fffffff1
 * header     nfunc              nfunc nfile        nfunc nfile text  as 1.18
 *                               5 part offsets     5 part offsets
 * functab    (pc, offset) u64   (pc, offset) u64   (pc-text, offset) u32
 * names at   table              part               part
 * func       entry u64 …        entry u64 …        entry-text u32 …  … start line
 * ```
 * Sources: runtime/symtab.go, cmd/link/internal/ld/pcln.go and debug/gosym/pclntab.go of the Go distribution.
 */
import { u64, viewOf } from './internal/fields.ts';

export type PclntabVersion = '1.2' | '1.16' | '1.18' | '1.20';

const VERSIONS: ReadonlyMap<number, PclntabVersion> = new Map([
  [0xffff_fffb, '1.2'],
  [0xffff_fffa, '1.16'],
  [0xffff_fff0, '1.18'],
  [0xffff_fff1, '1.20'],
]);

/** The largest header: 8 bytes and 8 words. */
export const PCLNTAB_HEADER_BYTES = 72;

/** Where headers with a start of the text have it. */
export const PCLNTAB_TEXT_START_AT = 24;

/** All `…Offset` fields are relative to the start of the table. */
export interface PclntabHeader {
  readonly version: PclntabVersion;
  /** Program counters in pc-value tables are in units of this many bytes. */
  readonly quantum: number;
  readonly functions: number;
  /** Entries of functab are relative to this address; 0 in layouts with absolute entries, and where it is unset. */
  readonly textStart: number;
  readonly namesOffset: number;
  /** 0 in 1.2: there files are looked up in one table. */
  readonly unitsOffset: number;
  /** In 1.2 the table of offsets; later, the strings. */
  readonly filesOffset: number;
  readonly pcOffset: number;
  readonly functabOffset: number;
  /** Bytes of one value in functab: 8, or 4 since 1.18. */
  readonly functabWidth: 4 | 8;
}

export function isPclntabStart(view: DataView, at: number): boolean {
  const quantum = view.getUint8(at + 6);
  return (
    VERSIONS.has(view.getUint32(at, true)) &&
    view.getUint16(at + 4, true) === 0 &&
    (quantum === 1 || quantum === 2 || quantum === 4) &&
    view.getUint8(at + 7) === 8
  );
}

/** Undefined when `bytes` do not begin with a header whose parts all lie within `size` bytes. */
export function parsePclntabHeader(bytes: Uint8Array, size: number): PclntabHeader | undefined {
  if (bytes.length < 16) return undefined;
  const view = viewOf(bytes);
  const version = VERSIONS.get(view.getUint32(0, true));
  if (version === undefined || !isPclntabStart(view, 0)) return undefined;
  const header = version === '1.2' ? oldHeader(view) : newHeader(view, version);
  if (header === undefined) return undefined;
  const functabEnd = header.functabOffset + (header.functions * 2 + 1) * header.functabWidth;
  const parts = [header.namesOffset, header.unitsOffset, header.filesOffset, header.pcOffset, functabEnd];
  // NaN fails every comparison.
  return parts.every((offset) => offset >= 0 && offset <= size) ? header : undefined;
}

function oldHeader(view: DataView): PclntabHeader | undefined {
  return {
    version: '1.2',
    quantum: view.getUint8(6),
    functions: u64(view, 8),
    textStart: 0,
    namesOffset: 0,
    unitsOffset: 0,
    // Behind functab, where a u32 says where; read together with the functions.
    filesOffset: 0,
    pcOffset: 0,
    functabOffset: 16,
    functabWidth: 8,
  };
}

function newHeader(view: DataView, version: PclntabVersion): PclntabHeader | undefined {
  const hasText = version !== '1.16';
  if (view.byteLength < (hasText ? 72 : 64)) return undefined;
  const parts = hasText ? 32 : 24;
  return {
    version,
    quantum: view.getUint8(6),
    functions: u64(view, 8),
    textStart: hasText ? u64(view, PCLNTAB_TEXT_START_AT) : 0,
    namesOffset: u64(view, parts),
    unitsOffset: u64(view, parts + 8),
    filesOffset: u64(view, parts + 16),
    pcOffset: u64(view, parts + 24),
    functabOffset: u64(view, parts + 32),
    functabWidth: hasText ? 4 : 8,
  };
}

/** Where the offset of a function's record counts from. */
export function funcBase(header: PclntabHeader): number {
  return header.version === '1.2' ? 0 : header.functabOffset;
}

/** Bytes of a function's fixed record, and where its number of pcdata tables stands (u32). */
export const FUNC_LAYOUT: Readonly<
  Record<PclntabVersion, { readonly bytes: number; readonly pcdata: number }>
> = {
  '1.2': { bytes: 40, pcdata: 32 },
  '1.16': { bytes: 44, pcdata: 32 },
  '1.18': { bytes: 40, pcdata: 28 },
  '1.20': { bytes: 44, pcdata: 28 },
};

/** More tables per function than any compiler writes. */
const MAX_PCDATA = 1024;

/**
 * How many of the `available` bytes belong to the table: the record of the last function ends it. Undefined when
 * what is read contradicts the header: then this is not a table. `read` gives undefined outside the region.
 * In 1.2 names of files end the table at a place that nothing tells, so there all that is available counts.
 */
export function pclntabExtent(
  header: PclntabHeader,
  available: number,
  read: (offset: number, length: number) => Uint8Array | undefined,
): number | undefined {
  if (header.functions === 0) return undefined;
  const width = header.functabWidth;
  const end = header.functabOffset + (header.functions * 2 + 1) * width;
  const first = read(header.functabOffset, width * 2);
  const last = read(end - width * 3, width * 3);
  if (first === undefined || last === undefined) return undefined;
  const value = (bytes: Uint8Array, index: number): number =>
    width === 4 ? viewOf(bytes).getUint32(index * 4, true) : u64(viewOf(bytes), index * 8);
  // The first record follows functab, but for alignment; the last function does not end before it starts.
  const gap = value(first, 1) - (end - funcBase(header));
  if (!(gap >= 0 && gap <= 64) || value(last, 0) > value(last, 2)) return undefined;
  if (header.version === '1.2') return available;
  const layout = FUNC_LAYOUT[header.version];
  const lastRecord = funcBase(header) + value(last, 1);
  const record = read(lastRecord, layout.bytes);
  if (record === undefined) return undefined;
  const pcdata = viewOf(record).getUint32(layout.pcdata, true);
  if (pcdata > MAX_PCDATA) return undefined;
  const funcdata = record[layout.bytes - 1] ?? 0;
  // Pointers to funcdata are aligned: at most one more.
  return Math.min(lastRecord + layout.bytes + pcdata * 4 + (funcdata + 1) * width, available);
}
