import { execFileSync } from 'node:child_process';

/** nm of the largest binaries. */
const MAX_NM_BYTES = 256 << 20;

interface Range {
  readonly start: bigint;
  readonly end: bigint;
  readonly name: string;
}

/** Names of file offsets of one ELF file, as binutils see them. */
export class Symbols {
  readonly #functions: readonly Range[];
  /** Segment by file offset, with what turns its offsets into addresses. */
  readonly #segments: readonly { start: bigint; end: bigint; shift: bigint }[];

  constructor(path: string) {
    // A stripped file has the dynamic ones only.
    const lines = [[], ['--dynamic']].flatMap((which) =>
      execFileSync('nm', ['--defined-only', '--print-size', ...which, path], {
        encoding: 'utf8',
        maxBuffer: MAX_NM_BYTES,
        stdio: ['ignore', 'pipe', 'ignore'],
      }).split('\n'),
    );
    this.#functions = lines.flatMap((line) => {
      const [address, size, kind, name] = line.split(' ');
      if (name === undefined || !/^[tTwWiu]$/.test(kind ?? '')) return [];
      const start = BigInt(`0x${address}`);
      return [{ start, end: start + BigInt(`0x${size}`), name }];
    });
    const headers = execFileSync('readelf', ['--segments', '--wide', path], { encoding: 'utf8' });
    this.#segments = [...headers.matchAll(/LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+)/g)].map((match) => {
      const [offset = 0n, address = 0n, size = 0n] = match.slice(1).map(BigInt);
      return { start: offset, end: offset + size, shift: address - offset };
    });
  }

  /** The address of a file offset, as the file itself counts; the offset where nothing is loaded from it. */
  addressOf(offset: bigint): bigint {
    const segment = this.#segments.find(({ start, end }) => offset >= start && offset < end);
    return offset + (segment?.shift ?? 0n);
  }

  /** The function at a file offset, "" when there is none. */
  nameOf(offset: bigint): string {
    const address = this.addressOf(offset);
    return this.#functions.find(({ start, end }) => address >= start && address < end)?.name ?? '';
  }
}
