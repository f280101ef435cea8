import { CodeRanges } from './code-ranges.ts';
import { type JitDumpListener, JitDumpRecords, type JitLine } from './jit-dump-records.ts';
import { type JitFrame, parseJitName } from './jit-name.ts';

/** Functions kept per process, as of perf maps. */
export const MAX_JIT_DUMP_FUNCTIONS = 200_000;
/** Lines of all functions of a process, 12 bytes each. Beyond it functions have their first line only. */
export const MAX_JIT_DUMP_LINES = 500_000;
/** Functions that are gone are kept for samples that were taken before: so many, and for so long. */
const MAX_GONE = 4096;
const KEEP_GONE_MS = 60_000;
/** Samples know their second, not more. */
const SAMPLE_MS = 1000;
/**
 * V8 gives lines as they are in the ELF file that `perf inject` makes, whose header of 64 bytes comes before the
 * code. Others give plain addresses, and then some function has a line for its first bytes.
 */
const ELF_HEADER_BYTES = 64;

interface Code {
  readonly frame: JitFrame;
  readonly address: number;
  readonly index: number;
  readonly fromMs: number;
  /** Offsets within the code, ascending, and their lines; undefined when none are known. */
  readonly offsets: Uint32Array | undefined;
  readonly lines: Int32Array | undefined;
}

/** Code that is not at its place any more. */
interface Gone {
  readonly code: Code;
  readonly end: number;
  readonly untilMs: number;
}

/**
 * The functions of one process by its jitdump, with their source lines, as they were at the time of a sample. Times
 * are exact to the second, as those of samples are: in the second of a change what came later counts.
 */
export class JitDump implements JitDumpListener {
  /** Lines turned away by MAX_JIT_DUMP_LINES. */
  linesOverLimit = 0;
  /** Functions that are gone, turned away by MAX_GONE. */
  goneOverLimit = 0;
  readonly #records = new JitDumpRecords(this);
  readonly #ranges = new CodeRanges(MAX_JIT_DUMP_FUNCTIONS, (tag, start, end) => this.#drop(tag, start, end));
  /** By tag of #ranges. */
  readonly #codes: (Code | undefined)[] = [];
  readonly #free: number[] = [];
  /** Tag of the code with an index, for moves. */
  readonly #byIndex = new Map<number, number>();
  #gone: Gone[] = [];
  /** Lines of the next load. */
  #nextLines: { readonly address: number; readonly lines: readonly JitLine[] } | undefined;
  #lineCount = 0;
  /** Whether no line was seen in the first bytes of a function, where V8 cannot have one. */
  #isShifted = true;
  /** Second of the records that are not merged yet. */
  #batchMs = 0;
  #lastMs = 0;
  #changed = false;
  /** Added to the writer's clock to get Unix time. */
  readonly #offsetMs: number;

  /** `offsetMs`: Unix time less CLOCK_MONOTONIC. */
  constructor(offsetMs = Date.now() - Number(process.hrtime.bigint()) / 1e6) {
    this.#offsetMs = offsetMs;
  }

  get length(): number {
    return this.#ranges.length;
  }

  get overLimit(): number {
    return this.#ranges.overLimit;
  }

  get badRecords(): number {
    return this.#records.badRecords;
  }

  get damage(): JitDumpRecords['damage'] {
    return this.#records.damage;
  }

  /** Takes the next bytes of the file; see JitDumpRecords. */
  append(bytes: Buffer): number {
    return this.#records.append(bytes);
  }

  /** Makes what was appended count; true when names changed. */
  merge(): boolean {
    this.#mergeBatch();
    this.#gone = this.#gone.filter(({ untilMs }) => untilMs > this.#lastMs - KEEP_GONE_MS);
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  /** Whether what is at an address may differ between this second and now. */
  isPast(timeMs: number): boolean {
    return timeMs + SAMPLE_MS <= this.#lastMs;
  }

  /** What was at an address at the end of the second that begins at `timeMs` (Unix). */
  find(address: number, timeMs: number): JitFrame | undefined {
    const atMs = timeMs + SAMPLE_MS;
    if (this.isPast(timeMs)) {
      for (const { code, end, untilMs } of this.#gone) {
        if (code.address <= address && address < end && code.fromMs < atMs && untilMs >= atMs) {
          return this.#frameAt(code, address);
        }
      }
    }
    const code = this.#codes[this.#ranges.find(address)];
    // A second of patience: a writer may take the time after it has begun to run the code.
    return code === undefined || code.fromMs > atMs + SAMPLE_MS ? undefined : this.#frameAt(code, address);
  }

  load(timeMs: number, address: number, size: number, index: number, name: string): void {
    this.#begin(timeMs);
    const given = this.#nextLines?.address === address ? this.#nextLines.lines : [];
    this.#nextLines = undefined;
    const own = this.#ownLines(parseJitName(name), address, size, given);
    this.#put({ ...own, address, index, fromMs: this.#lastMs }, size);
  }

  move(timeMs: number, from: number, to: number, size: number, index: number): void {
    this.#begin(timeMs);
    const code = this.#codes[this.#byIndex.get(index) ?? -1];
    if (code === undefined || code.address !== from) return;
    // Nothing is left where it was.
    this.#put(
      { ...code, frame: NOTHING, index: -1, fromMs: this.#lastMs, offsets: undefined, lines: undefined },
      size,
    );
    this.#put({ ...code, address: to, fromMs: this.#lastMs }, size);
  }

  lines(address: number, lines: readonly JitLine[]): void {
    this.#nextLines = { address, lines };
  }

  /** Changes of one second become one merge: so it is known to the second when something went. */
  #begin(timeMs: number): void {
    const unixMs = timeMs === 0 ? 0 : timeMs + this.#offsetMs;
    const second = Math.floor(unixMs / SAMPLE_MS);
    if (second !== Math.floor(this.#batchMs / SAMPLE_MS)) {
      this.#mergeBatch();
      this.#batchMs = unixMs;
    }
    this.#lastMs = Math.max(this.#lastMs, unixMs);
  }

  #mergeBatch(): void {
    if (this.#ranges.merge()) this.#changed = true;
  }

  #put(code: Code, size: number): void {
    const tag = this.#free.pop() ?? this.#codes.length;
    this.#codes[tag] = code;
    if (code.index >= 0) this.#byIndex.set(code.index, tag);
    this.#ranges.add(code.address, code.address + size, tag);
  }

  #drop(tag: number, start: number, end: number): void {
    const code = this.#codes[tag];
    if (code === undefined || code.address !== start) return;
    this.#codes[tag] = undefined;
    this.#free.push(tag);
    if (this.#byIndex.get(code.index) === tag) this.#byIndex.delete(code.index);
    this.#lineCount -= code.lines?.length ?? 0;
    if (code.frame === NOTHING || this.#batchMs === 0) return;
    if (this.#gone.length >= MAX_GONE) {
      this.#gone.shift();
      this.goneOverLimit++;
    }
    this.#gone.push({ code, end, untilMs: this.#batchMs });
  }

  /** Lines within the code, of the function's own file: those of inlined functions would pass for its own. */
  #ownLines(
    named: JitFrame,
    address: number,
    size: number,
    given: readonly JitLine[],
  ): Pick<Code, 'frame' | 'offsets' | 'lines'> {
    const within = given.filter((line) => {
      const offset = line.address - address;
      return offset >= 0 && offset < size + ELF_HEADER_BYTES && line.line > 0 && line.file !== '';
    });
    if (within.some((line) => line.address - address < ELF_HEADER_BYTES)) this.#isShifted = false;
    const filename = named.filename || (within[0]?.file ?? '');
    const own = within.filter((line) => line.file === filename).sort((a, b) => a.address - b.address);
    const startLine = named.startLine || Math.min(...own.map(({ line }) => line));
    const frame = own.length === 0 ? named : { ...named, filename, startLine, line: startLine };
    if (own.length === 0 || this.#lineCount + own.length > MAX_JIT_DUMP_LINES) {
      this.linesOverLimit += own.length;
      return { frame, offsets: undefined, lines: undefined };
    }
    this.#lineCount += own.length;
    return {
      frame,
      offsets: Uint32Array.from(own, (line) => line.address - address),
      lines: Int32Array.from(own, (line) => line.line),
    };
  }

  #frameAt(code: Code, address: number): JitFrame | undefined {
    const { frame, offsets, lines } = code;
    if (frame === NOTHING) return undefined;
    if (offsets === undefined || lines === undefined) return frame;
    const offset = address - code.address + (this.#isShifted ? ELF_HEADER_BYTES : 0);
    let low = 0;
    let high = offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (offsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? frame : { ...frame, line: lines[low - 1]! };
  }
}

/** Where code was that has moved. */
const NOTHING: JitFrame = { name: '', filename: '', startLine: 0, line: 0, interpreted: false };
