/** Where an address lies: a file, or a name in brackets, and the offset in it; anonymous code has its address. */
export interface Place {
  readonly binary: string;
  readonly offset: bigint;
}

interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  readonly offset: bigint;
  readonly binary: string;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) \S+ \S+ *(.*)$/;

/** The executable mappings of a process, from the text of its /proc/PID/maps. */
export class ProcessMaps {
  readonly #mappings: readonly Mapping[];

  constructor(text: string) {
    this.#mappings = text.split('\n').flatMap((line) => {
      const [, start, end, offset, binary = ''] = LINE.exec(line) ?? [];
      if (start === undefined) return [];
      return [
        { start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), offset: BigInt(`0x${offset}`), binary },
      ];
    });
  }

  placeOf(address: bigint): Place {
    const mapping = this.#mappings.find(({ start, end }) => address >= start && address < end);
    if (mapping === undefined) return { binary: '[unmapped]', offset: address };
    if (mapping.binary === '') return { binary: '[anonymous]', offset: address };
    if (mapping.binary === '[vdso]') return { binary: '[vdso]', offset: address - mapping.start };
    return { binary: mapping.binary, offset: address - mapping.start + mapping.offset };
  }
}
