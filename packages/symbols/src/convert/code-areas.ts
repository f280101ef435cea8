import { elfConstants, type ElfFile } from '@fleetflame/elf';

export interface CodeArea {
  readonly start: number;
  readonly end: number;
}

/** Where the binary has code: executable sections by number, or executable segments where there are no sections. */
export class CodeAreas {
  readonly #bySection: readonly (CodeArea | undefined)[];
  readonly #sorted: readonly CodeArea[];

  constructor(file: ElfFile) {
    this.#bySection = file.sections.map((section) =>
      (section.flags & elfConstants.SHF_EXECINSTR) !== 0 && section.size > 0
        ? area(section.address, section.size)
        : undefined,
    );
    const sections = this.#bySection.filter((one) => one !== undefined);
    const segments = file.segments
      .filter((one) => one.type === elfConstants.PT_LOAD && (one.flags & elfConstants.PF_X) !== 0)
      .map((one) => area(one.address, one.memorySize))
      .filter((one) => one !== undefined);
    this.#sorted = (sections.length > 0 ? sections : segments).toSorted((a, b) => a.start - b.start);
  }

  /** Of a symbol: by its section's number, which must agree with its address. */
  ofSection(index: number, address: number): CodeArea | undefined {
    const found = this.#bySection[index];
    return found !== undefined && address >= found.start && address < found.end ? found : undefined;
  }

  at(address: number): CodeArea | undefined {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle]?.start ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.#sorted[low - 1];
    return found !== undefined && address < found.end ? found : undefined;
  }
}

function area(start: number, size: number): CodeArea | undefined {
  const end = start + size;
  return Number.isSafeInteger(end) && size > 0 ? { start, end } : undefined;
}
