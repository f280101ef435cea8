/**
 * Where the code of a Go program is by its own account ("moduledata"). Until Go 1.25 the header of the function table
 * has the start of the text; since 1.26 there is 0, and .text's own start is wrong where a C linker put C's code first.
 *
 * ```
 * .go.module, a section of its own since 1.26:
 *   0  pointer to the function table    160  first byte of code    168  end of the last function    176  text
 * ```
 * `packages/bpf/src/unwind/go-module.cc` reads the same. Sources: runtime/symtab.go and cmd/link/internal/ld/symtab.go
 * of the Go distribution, programs of Go 1.26 and 1.27.
 */
import { EM_AARCH64, PF_X, PT_LOAD, RELA_BYTES, SHF_ALLOC, SHT_NOBITS, SHT_RELA } from './constants.ts';
import type { ElfFile } from './elf-file.ts';
import { u64, viewOf } from './internal/fields.ts';

const GO_MODULE_SECTION = '.go.module';
const FIRST_CODE_AT = 160;
const LAST_CODE_AT = 168;
const MODULE_BYTES = 192;
const WORD = 8;
/** Read while looking for the module where no section says where it is; data of the largest Go programs are 100 MB. */
const MAX_SEARCHED_BYTES = 256 * 1024 * 1024;
const SEARCH_BYTES = 1024 * 1024;
/** Places that point to the function table but are no module. */
const MAX_MODULES = 64;

/** The first byte of the program's Go code; undefined when no module that can be true points to the function table at `address`. */
export function firstGoCode(file: ElfFile, address: number): number | undefined {
  const own = file.sections.find((one) => one.name === GO_MODULE_SECTION && one.type !== SHT_NOBITS);
  if (own !== undefined) return firstCodeOf(file, own, address);
  let looked = 0;
  for (const place of placesThatPointTo(file, address)) {
    const first = firstCodeOf(file, place, address);
    if (first !== undefined) return first;
    if (++looked >= MAX_MODULES) return undefined;
  }
  return undefined;
}

interface Place {
  readonly offset: number;
  readonly address: number;
}

/** Words of the data that are `address`: without section headers the module is found by its first one. */
function* placesThatPointTo(file: ElfFile, address: number): Generator<Place> {
  let left = MAX_SEARCHED_BYTES;
  for (const segment of file.segments) {
    if (segment.type !== PT_LOAD || (segment.flags & PF_X) !== 0) continue;
    const end = Math.min(segment.offset + segment.fileSize, file.source.size, segment.offset + left);
    left = Math.max(0, left - segment.fileSize);
    const start = segment.offset + ((WORD - (segment.address % WORD)) % WORD);
    for (let base = start; base + WORD <= end; base += SEARCH_BYTES) {
      const view = viewOf(file.source.read(base, Math.min(SEARCH_BYTES, end - base)));
      const found: Place[] = [];
      for (let at = 0; at + WORD <= view.byteLength; at += WORD) {
        if (view.getUint32(at, true) !== address % 0x1_0000_0000 || u64(view, at) !== address) continue;
        if (found.length < MAX_MODULES)
          found.push({ offset: base + at, address: base + at - segment.offset + segment.address });
      }
      yield* found;
    }
  }
}

function firstCodeOf(file: ElfFile, section: Place, address: number): number | undefined {
  if (section.offset + MODULE_BYTES > file.source.size) return undefined;
  const module = viewOf(new Uint8Array(file.source.read(section.offset, MODULE_BYTES)));
  let relocated: Float64Array | undefined;
  // Some linkers leave the words of position-independent programs to the loader: then RELA entries alone have them.
  const word = (at: number): number => {
    const value = u64(module, at);
    if (value !== 0) return value;
    relocated ??= relativeRelocations(file, section.address, MODULE_BYTES);
    for (let index = 0; index < relocated.length; index += 2) {
      if (relocated[index] === at) return relocated[index + 1] ?? 0;
    }
    return 0;
  };
  if (word(0) !== address) return undefined;
  const [first, last] = [word(FIRST_CODE_AT), word(LAST_CODE_AT)];
  return first < last && isCode(file, first) && isCode(file, last - 1) ? first : undefined;
}

function isCode(file: ElfFile, address: number): boolean {
  return file.segments.some(
    (one) =>
      one.type === PT_LOAD &&
      (one.flags & PF_X) !== 0 &&
      address >= one.address &&
      address - one.address < one.fileSize,
  );
}

const R_X86_64_RELATIVE = 8;
const R_AARCH64_RELATIVE = 1027;

/**
 * Words of [address, address + size) that are zero in the file of a position-independent program and stand in RELA
 * entries, which the loader applies; flat: offset from `address`, value, offset, value, …
 */
export function relativeRelocations(file: ElfFile, address: number, size: number): Float64Array {
  const relative = file.machine === EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
  const found: number[] = [];
  for (const section of file.sections) {
    if (section.type !== SHT_RELA || (section.flags & SHF_ALLOC) === 0) continue;
    const end = Math.min(section.offset + section.size, file.source.size);
    const chunk = RELA_BYTES * 32_768;
    for (let base = section.offset; base + RELA_BYTES <= end; base += chunk) {
      const view = viewOf(file.source.read(base, Math.min(chunk, end - base)));
      for (let at = 0; at + RELA_BYTES <= view.byteLength; at += RELA_BYTES) {
        if (view.getUint32(at + 8, true) !== relative) continue;
        const target = u64(view, at) - address;
        const addend = u64(view, at + 16);
        // Both are false for NaN.
        if (target >= 0 && target + 8 <= size && addend >= 0) found.push(target, addend);
      }
    }
  }
  return Float64Array.from(found);
}
