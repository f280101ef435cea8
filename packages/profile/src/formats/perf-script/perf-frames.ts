import type { MappingKind } from '../../block/block.ts';
import { mappingKind } from '../mapping-kind.ts';
import type { ProfileWriter } from '../profile-writer.ts';

export interface PerfFrame {
  /** Hexadecimal. */
  readonly address: string;
  /** "" where perf knows none. */
  readonly name: string;
  /** "" where perf knows none. */
  readonly binary: string;
  readonly inlined: boolean;
}

const UNKNOWN = '[unknown]';

/** `401100 parse+0x10 (/srv/app)`: names and files may have spaces and parentheses in them. */
export function parsePerfFrame(line: string): PerfFrame | undefined {
  const head = /^\s*([0-9a-f]{1,16})(?:\s|$)/.exec(line.slice(0, 256));
  if (head === null) return undefined;
  const [start, address = ''] = head;
  let text = line.slice(start.length).trim();
  let binary = '';
  let inlined = false;
  if (text.endsWith(')')) {
    // A file that was removed reads (/srv/app (deleted)).
    const from = text.lastIndexOf(
      text.endsWith(' (deleted))') ? '(' : ' (',
      text.length - (text.endsWith(' (deleted))') ? 11 : 0),
    );
    const open = text.startsWith('(') && from < 0 ? 0 : from;
    if (open >= 0) {
      const inside = text.slice(text.indexOf('(', open) + 1, -1).replace(/ \(deleted\)$/, '');
      inlined = inside === 'inlined';
      binary = inlined || inside === UNKNOWN ? '' : inside;
      text = text.slice(0, open).trimEnd();
    }
  }
  const name = text.replace(/\+0x[0-9a-f]+$/, '');
  return { address, name: name === UNKNOWN ? '' : name, binary, inlined };
}

/** Frames of one sample after another. */
export class PerfFrames {
  readonly #writer: ProfileWriter;
  readonly #locations = new Map<string, number>();
  /** Functions that are inlined into the frame that comes next. */
  #inlined: string[] = [];

  constructor(writer: ProfileWriter) {
    this.#writer = writer;
  }

  begin(): void {
    this.#writer.begin();
    this.#inlined = [];
  }

  push(frame: PerfFrame): void {
    if (frame.inlined && this.#inlined.length < MOST_INLINED) {
      this.#inlined.push(frame.name);
      return;
    }
    const names = this.#inlined;
    this.#inlined = [];
    this.#writer.push(this.#location(frame, names));
  }

  end(): number {
    for (const name of this.#inlined) this.#writer.push(this.#writer.frame({ name }));
    return this.#writer.end('innermost');
  }

  #location({ address, name, binary }: PerfFrame, inlined: readonly string[]): number {
    const key = `${inlined.join('\0')}\0${name === '' ? address : ''}\0${name}\0${binary}`;
    const known = this.#locations.get(key);
    if (known !== undefined) return known;
    const writer = this.#writer;
    const { file, kind } = binaryOf(binary, address);
    const mapping =
      file === '' ? 0 : writer.builder.mapping(writer.builder.string(writer.name(file)), 0, kind);
    const names = name === '' ? inlined : [...inlined, name];
    // An address says nothing across processes; it is kept where it is all there is.
    const at = names.length === 0 ? BigInt(`0x${address}`) : 0n;
    const location = writer.newLocation(
      Number(at & 0xffff_ffffn),
      Number(at >> 32n),
      names.flatMap((it) => [writer.function({ name: it }), 0]),
      mapping,
    );
    this.#locations.set(key, location);
    return location;
  }
}

/** Inlined calls at one address. */
const MOST_INLINED = 1_024;

/** Files of perf's maps of code made at run time have the process id in their names. */
function binaryOf(binary: string, address: string): { readonly file: string; readonly kind: MappingKind } {
  if (/(?:^|\/)perf-\d+\.map$/.test(binary) || binary.startsWith('[JIT]'))
    return { file: '[jit]', kind: 'jit' };
  // Addresses from the upper half on are the kernel's.
  if (binary === '')
    return address.length === 16 && address >= '8'
      ? { file: '[kernel]', kind: 'kernel' }
      : { file: '', kind: 'unknown' };
  return { file: binary, kind: mappingKind(binary, '') };
}
