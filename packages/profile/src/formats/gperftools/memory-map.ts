import type { BlockBuilder } from '../../block/block-builder.ts';
import { eachLine } from '../file-text.ts';
import { countedFrom, isInRange, movesAsFile } from '../mapped-address.ts';
import type { MemoryRange } from '../mapped-address.ts';
import { mappingKind } from '../mapping-kind.ts';

interface MappedFile extends MemoryRange {
  readonly file: string;
  readonly buildId: string;
}

/** start-end perms offset device inode path, as in /proc/PID/maps. */
const LINE =
  /^\s*([0-9a-f]{1,16})-([0-9a-f]{1,16})\s+([-rwxsp]{3,4})\s+([0-9a-f]{1,16})\s+[0-9a-f]+:[0-9a-f]+\s+\d+(?:\s+(.*))?$/;
/** start-end: path, as gperftools writes in older versions. */
const SHORT = /^\s*([0-9a-f]{1,16})-([0-9a-f]{1,16}):\s+(.*)$/;
/** name=value: $name stands for value in lines below. */
const MACRO = /^\s*(\w+)=(.*)$/;

/** What a process had mapped, from the text at the end of gperftools' files. */
export class MemoryMap {
  readonly #files: readonly MappedFile[];
  /** Where the beginning of each file is mapped. */
  readonly #beginnings = new Map<string, number>();

  constructor(text: string) {
    const files: MappedFile[] = [];
    const macros = new Map<string, string>();
    eachLine(text, (raw) => {
      if (raw.length > MOST_LINE || files.length >= MOST_FILES) return;
      const macro = MACRO.exec(raw);
      if (macro !== null) {
        macros.set(macro[1] ?? '', macro[2] ?? '');
        return;
      }
      const line = raw.replace(/\$(\w+)/, (all, name: string) => macros.get(name) ?? all).trimEnd();
      const file = parseLine(line);
      if (file !== undefined) files.push(file);
    });
    this.#files = files.sort((a, b) => a.start - b.start);
    for (const { file, start, offset } of files) {
      // Later mappings of the same file belong to another of its parts.
      if (offset === 0 && file !== '' && !this.#beginnings.has(file)) this.#beginnings.set(file, start);
    }
  }

  /** The builder's location of an address, without a name. */
  location(builder: BlockBuilder, address: number): number {
    const mapped = this.#find(address);
    if (mapped === undefined || mapped.file === '')
      return builder.location(0, address % TWO_32, Math.floor(address / TWO_32), []);
    const kind = mappingKind(mapped.file, mapped.buildId);
    const mapping = builder.mapping(builder.string(mapped.file), builder.string(mapped.buildId), kind);
    const place =
      address - (movesAsFile(kind) ? countedFrom(mapped, this.#beginnings.get(mapped.file)).bias : 0);
    return builder.location(mapping, place % TWO_32, Math.floor(place / TWO_32), []);
  }

  #find(address: number): MappedFile | undefined {
    let low = 0;
    let high = this.#files.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const file = this.#files[middle]!;
      if (isInRange(address, file)) return file;
      if (address < file.start) high = middle - 1;
      else low = middle + 1;
    }
    return undefined;
  }
}

const TWO_32 = 0x1_0000_0000;
/** Paths have 4,096 bytes at most. */
const MOST_LINE = 8_192;
/** Processes have some thousand mappings. */
const MOST_FILES = 65_536;

function parseLine(line: string): MappedFile | undefined {
  const [, start, limit, permissions, offset, path] = LINE.exec(line) ?? [];
  if (start !== undefined && limit !== undefined && offset !== undefined) {
    const file = (path ?? '').replace(/ \(deleted\)$/, '');
    // Data is no code, but the beginning of a file tells where it was loaded.
    if (permissions?.[2] !== 'x' && Number.parseInt(offset, 16) !== 0) return undefined;
    return range(start, limit, offset, file);
  }
  const [, from, to, name] = SHORT.exec(line) ?? [];
  return from === undefined || to === undefined ? undefined : range(from, to, '0', name ?? '');
}

function range(start: string, limit: string, offset: string, file: string): MappedFile {
  return {
    start: Number.parseInt(start, 16),
    limit: Number.parseInt(limit, 16),
    offset: Number.parseInt(offset, 16),
    file,
    buildId: '',
  };
}
