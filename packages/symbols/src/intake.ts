/**
 * What becomes of a whole file, wherever it came from: checked, converted and stored, or remembered with the reason
 * why not. One file at a time, of each sender in turn.
 */
import { closeSync, openSync } from 'node:fs';
import { link, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cutShort, elfConstants, ElfError, ElfFile, readDebugAltLink } from '@fleetflame/elf';
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import type { BinaryRecord } from './binary-record.ts';
import { BinaryRefused, type Converter } from './convert/converter.ts';
import { FairTurns } from './fair-turns.ts';
import { fileSource } from './file-source.ts';
import type { SymbolLimits } from './limits.ts';
import type { ServiceMetrics } from './service-metrics.ts';
import type { StoredFile, SymbolStore } from './symbol-store.ts';

export interface IntakeOptions {
  readonly store: SymbolStore;
  readonly converter: Converter;
  readonly log: Logger;
  readonly metrics: ServiceMetrics;
  readonly limits: SymbolLimits;
  readonly scratchDir: string | undefined;
}

export interface IntakeFile extends StoredFile {
  /** Holds what debug files of other binaries refer to. */
  readonly supplementary: boolean;
  /** Whose turn it takes: an address, or a sender's name. Default: the origin. */
  readonly turnOf?: string;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #turns = new FairTurns();
  #waiting = 0;
  #scratch: Promise<string> | undefined;
  #serial = 0;
  #closed = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Files that wait or are being converted. */
  get waiting(): number {
    return this.#waiting;
  }

  /** A path in scratch space that is not used yet; it is the caller's to remove. */
  async scratchPath(): Promise<string> {
    this.#scratch ??= this.#makeScratch();
    return join(await this.#scratch, `${this.#serial++}.elf`);
  }

  /**
   * @param fetch puts the file at a path; called when its turn has come, so that one file at a time takes up space
   * @throws BinaryRefused: the file is at fault, and that is remembered
   * @throws FleetflameError: overloaded, cancelled, unavailable, corrupt_data: another time
   */
  async take(file: IntakeFile, fetch: (path: string) => Promise<void>): Promise<BinaryRecord> {
    const { metrics, limits } = this.#options;
    if (this.#waiting >= limits.queuedConversions) {
      metrics.refused.inc({ reason: 'queuedConversions' });
      throw new FleetflameError(
        'overloaded',
        `${this.#waiting} binaries wait for conversion, which is the most: try again later.`,
      );
    }
    this.#waiting++;
    const endTimer = metrics.conversion.startTimer();
    try {
      return await this.#turns.run(file.turnOf ?? file.origin ?? '', () => this.#run(file, fetch));
    } finally {
      this.#waiting--;
      endTimer();
    }
  }

  /** As `take`, of a file that is there already; it stays the caller's. */
  async takeFile(file: IntakeFile, path: string): Promise<BinaryRecord> {
    return await this.take(file, async (to) => {
      await link(path, to);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turns.settled();
    if (this.#scratch !== undefined) await rm(await this.#scratch, { recursive: true, force: true });
  }

  async #makeScratch(): Promise<string> {
    const own = this.#options.scratchDir;
    if (own === undefined) return await mkdtemp(join(tmpdir(), 'fleetflame-symbols-'));
    // What a crash left.
    await rm(own, { recursive: true, force: true });
    await mkdir(own, { recursive: true, mode: 0o700 });
    return own;
  }

  async #run(file: IntakeFile, fetch: (path: string) => Promise<void>): Promise<BinaryRecord> {
    if (this.#closed) {
      throw new FleetflameError('cancelled', 'The server is shutting down: send the binary again later.');
    }
    const { store, log } = this.#options;
    const { buildId, fileName, uploadBytes, origin } = file;
    const about = { buildId, fileName, uploadBytes, origin };
    const path = await this.scratchPath();
    try {
      await fetch(path);
      const record = file.supplementary
        ? await this.#storeSupplement(file, path)
        : await this.#convert(file, path);
      log.info(
        {
          ...about,
          symbols: record.symbols,
          source: record.source,
          lines: record.lines,
          problem: record.problem,
        },
        'symbols stored',
      );
      return record;
    } catch (error) {
      if (error instanceof BinaryRefused) {
        log.warn({ ...about, problem: error.message }, 'a binary has no usable symbols');
        await store.addFailure(file, error.message);
      }
      throw error;
    } finally {
      await rm(path, { force: true });
    }
  }

  async #convert(file: IntakeFile, path: string): Promise<BinaryRecord> {
    const { store, converter, log } = this.#options;
    checkWhole(path);
    const wanted = supplementOfFile(path);
    const bytes = wanted === undefined ? undefined : await store.supplement(wanted);
    const supplement = bytes === undefined ? undefined : `${path}.supplement`;
    try {
      if (supplement !== undefined && bytes !== undefined)
        await writeFile(supplement, bytes, { mode: 0o600 });
      const conversion = await converter.convert(path, file.buildId, supplement);
      if (conversion.warnings.length > 0) {
        log.info(
          { buildId: file.buildId, warnings: conversion.warnings },
          'a binary was converted with warnings',
        );
      }
      return await store.add(file, conversion);
    } finally {
      if (supplement !== undefined) await rm(supplement, { force: true });
    }
  }

  async #storeSupplement(file: IntakeFile, path: string): Promise<BinaryRecord> {
    const found = inspect(path, true, (elf) => {
      const info = elf.section('.debug_info');
      if (info === undefined || info.type === elfConstants.SHT_NOBITS)
        throw new ElfError('it has no .debug_info');
      return elf.identity ?? 'missing';
    });
    if (found !== file.buildId) {
      throw new BinaryRefused(
        `the file's build id is ${found}, but it was uploaded for ${file.buildId}: not the same file`,
      );
    }
    return await this.#options.store.addSupplement(file, await readFile(path));
  }
}

/**
 * Build id of the file that the debug information of this one refers to. A broken link costs what it leads to.
 * @throws BinaryRefused when the file is broken
 */
export function supplementOfFile(path: string): string | undefined {
  return inspect(path, false, (elf) => {
    try {
      return readDebugAltLink(elf)?.buildId;
    } catch (error) {
      if (error instanceof ElfError) return undefined;
      throw error;
    }
  });
}

/**
 * A file that was cut short is refused, though some of it could be read: what would come of it stands in the way of
 * an intact one.
 * @throws BinaryRefused
 */
function checkWhole(path: string): void {
  inspect(path, false, (elf) => {
    const problem = cutShort(elf);
    if (problem !== undefined) throw new ElfError(problem);
  });
}

/** @throws BinaryRefused when the file is broken */
function inspect<T>(path: string, relocatable: boolean, read: (file: ElfFile) => T): T {
  const fd = openSync(path, 'r');
  try {
    return read(ElfFile.parse(fileSource(fd), { relocatable }));
  } catch (error) {
    if (error instanceof ElfError) throw new BinaryRefused(error.message);
    throw error;
  } finally {
    closeSync(fd);
  }
}
