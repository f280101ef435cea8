/** Writes small ELF files field by field, for what compilers of this machine do not produce. */
import { EM_X86_64, ET_DYN, PF_X, PT_LOAD } from '../constants.ts';

export interface ElfImageSection {
  readonly name: string;
  readonly type: number;
  readonly flags?: number;
  readonly address?: number;
  /** Default: that of `contents`. */
  readonly size?: number;
  readonly link?: number;
  readonly entrySize?: number;
  readonly contents?: Uint8Array;
}

export interface ElfImageOptions {
  readonly machine?: number;
  readonly entry?: number;
  readonly segments?: readonly {
    readonly type?: number;
    readonly flags?: number;
    readonly offset: number;
    readonly address: number;
    readonly fileSize: number;
  }[];
  /** Numbers in section header 0, as in files with more than 65,279 sections. */
  readonly extendedNumbering?: boolean;
}

/** Section 0 and the section of names are added; `link` counts section 0. */
export function elfImage(sections: readonly ElfImageSection[], options: ElfImageOptions = {}): Uint8Array {
  const segments = options.segments ?? [];
  const all: ElfImageSection[] = [{ name: '', type: 0 }, ...sections];
  const names = [...all.map((one) => one.name), '.shstrtab'].join('\0');
  all.push({ name: '.shstrtab', type: 3, contents: new TextEncoder().encode(`${names}\0`) });
  let end = 64 + segments.length * 56;
  const offsets = all.map((section) => {
    const offset = Math.ceil(end / 32) * 32;
    if (section.contents !== undefined) end = offset + section.contents.length;
    return offset;
  });
  const table = Math.ceil(end / 8) * 8;
  const out = new Uint8Array(table + all.length * 64);
  const view = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, ET_DYN, true);
  view.setUint16(18, options.machine ?? EM_X86_64, true);
  view.setUint32(20, 1, true);
  setAddress(view, 24, options.entry ?? 0);
  view.setUint32(32, segments.length === 0 ? 0 : 64, true);
  view.setUint32(40, table, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(58, 64, true);
  const extended = options.extendedNumbering === true;
  view.setUint16(56, extended ? 0xffff : segments.length, true);
  view.setUint16(60, extended ? 0 : all.length, true);
  view.setUint16(62, extended ? 0xffff : all.length - 1, true);
  segments.forEach((segment, index) => {
    const at = 64 + index * 56;
    view.setUint32(at, segment.type ?? PT_LOAD, true);
    view.setUint32(at + 4, segment.flags ?? PF_X, true);
    setAddress(view, at + 8, segment.offset);
    setAddress(view, at + 16, segment.address);
    setAddress(view, at + 32, segment.fileSize);
    setAddress(view, at + 40, segment.fileSize);
  });
  let name = 0;
  all.forEach((section, index) => {
    const at = table + index * 64;
    view.setUint32(at, name, true);
    name += section.name.length + 1;
    view.setUint32(at + 4, section.type, true);
    setAddress(view, at + 8, section.flags ?? 0);
    setAddress(view, at + 16, section.address ?? 0);
    setAddress(view, at + 24, offsets[index] ?? 0);
    setAddress(view, at + 32, section.size ?? section.contents?.length ?? 0);
    view.setUint32(at + 40, section.link ?? 0, true);
    setAddress(view, at + 56, section.entrySize ?? 0);
    if (section.contents !== undefined) out.set(section.contents, offsets[index] ?? 0);
  });
  if (extended) {
    setAddress(view, table + 32, all.length);
    view.setUint32(table + 40, all.length - 1, true);
    view.setUint32(table + 44, segments.length, true);
  }
  return out;
}

function setAddress(view: DataView, at: number, value: number): void {
  view.setBigUint64(at, BigInt(value), true);
}
