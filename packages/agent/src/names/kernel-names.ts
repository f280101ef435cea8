import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { KernelSymbols, kernelOffset } from './kernel-symbols.ts';

/** Reading costs some 100 ms of the kernel's time, so an address without a name waits for this long. */
export const REREAD_AFTER_MS = 60_000;
/** Pages known to have no symbols even after a new reading; beyond this nothing is read again. */
const MAX_NAMELESS_PAGES = 4096;
const PAGE_BYTES = 4096;

export const KERNEL_FILE = '[kernel]';

/** Names of kernel addresses, kept up to date as modules and BPF programs come and go. */
export class KernelNames {
  /** Why kernel frames have no names, "" when they have. */
  reason = '';
  readings = 0;
  readonly #path: string;
  readonly #log: Logger;
  #symbols: KernelSymbols | undefined;
  #readAtMs = 0;
  #reading: Promise<void> | undefined;
  /** Pages whose addresses were not covered, since the last reading and after it. */
  #missed = new Set<number>();
  readonly #nameless = new Set<number>();

  constructor(log: Logger, path = '/proc/kallsyms') {
    this.#log = log;
    this.#path = path;
  }

  get symbolCount(): number {
    return this.#symbols?.length ?? 0;
  }

  get sizeBytes(): number {
    return this.#symbols?.sizeBytes ?? 0;
  }

  /** Reads the symbols; never throws: without them kernel frames have no names and `reason` says why. */
  async load(nowMs: number): Promise<void> {
    this.#readAtMs = nowMs;
    this.readings++;
    const before = this.#missed;
    this.#missed = new Set();
    try {
      // Through the thread pool: the kernel writes these megabytes symbol by symbol.
      const symbols = KernelSymbols.parse(await readFile(this.#path));
      this.#symbols = symbols;
      this.reason = reasonOf(symbols);
      for (const page of before) {
        if (this.#nameless.size < MAX_NAMELESS_PAGES && symbols.find(page * PAGE_BYTES) < 0) {
          this.#nameless.add(page);
        }
      }
    } catch (error) {
      this.reason = `${this.#path} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (this.reason === '') {
      this.#log.debug({ symbols: this.symbolCount, bytes: this.sizeBytes }, 'kernel symbols read');
    } else {
      this.#log.warn({ reason: this.reason }, 'kernel frames have no names');
    }
  }

  /** Name of the function at a kernel address; of a return address, that of the call before it. */
  name(low: number, high: number, isReturn: boolean): string | undefined {
    const symbols = this.#symbols;
    const address = kernelOffset(low, high);
    if (symbols === undefined || address < 0) return undefined;
    const offset = isReturn ? address - 1 : address;
    const index = symbols.find(offset);
    if (index >= 0) return symbols.name(index);
    const page = Math.floor(offset / PAGE_BYTES);
    if (this.#missed.size < MAX_NAMELESS_PAGES && !this.#nameless.has(page)) this.#missed.add(page);
    return undefined;
  }

  /** Starts a new reading when an address had no name, at most every REREAD_AFTER_MS. */
  maintain(nowMs: number): void {
    const age = nowMs - this.#readAtMs;
    if (this.#missed.size === 0 || this.#symbols?.hidden === true || this.#reading !== undefined) return;
    if (this.#nameless.size >= MAX_NAMELESS_PAGES || (age >= 0 && age < REREAD_AFTER_MS)) return;
    this.#reading = this.load(nowMs).finally(() => (this.#reading = undefined));
  }

  /** Resolves when no reading is under way. */
  async settled(): Promise<void> {
    await this.#reading;
  }
}

function reasonOf(symbols: KernelSymbols): string {
  if (symbols.hidden) {
    return 'kernel.kptr_restrict hides the addresses in /proc/kallsyms: run with CAP_SYSLOG or set it to 0';
  }
  return symbols.length === 0 ? '/proc/kallsyms has no symbols' : '';
}
