import { execFileSync } from 'node:child_process';

import { type RecordedFrame, Symbols } from '@fleetflame/bpf/testing';

/** Start code is not longer. */
const MAX_START_BYTES = 64n;

/** Names the outermost frames of stacks, in binaries without symbols too. */
export class Outermost {
  readonly #files = new Map<string, { entry: bigint; symbols: Symbols } | undefined>();
  readonly #names = new Map<string, string>();

  nameOf({ binary, address, isReturn }: RecordedFrame): string {
    const at = isReturn ? address - 1n : address;
    const key = `${binary}+${at}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = this.#find(binary, at);
    this.#names.set(key, name);
    return name;
  }

  #find(binary: string, offset: bigint): string {
    const short = binary.slice(binary.lastIndexOf('/') + 1);
    if (binary.startsWith('[')) return short;
    if (!this.#files.has(binary)) this.#files.set(binary, open(binary));
    const file = this.#files.get(binary);
    if (file === undefined) return short;
    const address = file.symbols.addressOf(offset);
    const within = address - file.entry;
    if (within >= 0n && within < MAX_START_BYTES) return '_start';
    const name = file.symbols.nameOf(offset);
    return name === '' ? `${short}+0x${address.toString(16)}` : name;
  }
}

function open(path: string): { entry: bigint; symbols: Symbols } | undefined {
  try {
    const header = execFileSync('readelf', ['--file-header', path], { encoding: 'utf8' });
    const entry = BigInt(/Entry point address: +(0x\w+)/.exec(header)?.[1] ?? 0);
    return { entry, symbols: new Symbols(path) };
  } catch {
    // Gone meanwhile, as files of a temporary directory are: its frames keep the name of the file.
    return undefined;
  }
}
