import { ANONYMOUS_BINARY, FIRST_FILE_BINARY, KERNEL_BINARY, VDSO_BINARY } from '@fleetflame/bpf';
import {
  type BlockBuilder,
  type FunctionIndex,
  type LocationIndex,
  type MappingIndex,
  STOPPED_MAPPING_FILE,
  stoppedFrameName,
  type StoppedReason,
} from '@fleetflame/profile';
import { type BinaryTable, binaryAddress } from '../binaries/binary-table.ts';
import type { Vdso } from '../binaries/vdso.ts';
import type { JitNames } from '../names/jit-names.ts';
import { KERNEL_FILE, type KernelNames } from '../names/kernel-names.ts';

const TWO_32 = 0x1_0000_0000;

/** Everything that turns frames into locations; lives as long as the agent. */
export interface FrameSources {
  readonly kernel: KernelNames;
  readonly kernelBuildId: string;
  readonly vdso: Vdso;
  readonly jit: JitNames;
  readonly binaries: BinaryTable;
}

/** Frames that travel without a name that the agent should have given, and native ones without an id. */
export interface UnnamedCounters {
  kernel: number;
  jit: number;
  unmapped: number;
  unreadable: number;
}

/** Makes the locations of one window's block. Called once per different frame. */
export class FrameResolver {
  /** Build ids of the binaries that have a frame in this window. */
  readonly buildIds = new Set<string>();
  readonly #builder: BlockBuilder;
  readonly #sources: FrameSources;
  readonly #unnamed: UnnamedCounters;
  readonly #kernel: MappingIndex;
  readonly #jit: MappingIndex;
  readonly #vdso: MappingIndex;
  /** By binary id: with its build id, and without for offsets that could not be converted. */
  readonly #withId = new Map<number, MappingIndex>();
  readonly #withoutId = new Map<number, MappingIndex>();

  constructor(builder: BlockBuilder, sources: FrameSources, unnamed: UnnamedCounters) {
    this.#builder = builder;
    this.#sources = sources;
    this.#unnamed = unnamed;
    this.#kernel = builder.mapping(
      builder.string(KERNEL_FILE),
      builder.string(sources.kernelBuildId),
      'kernel',
    );
    this.#jit = builder.mapping(builder.string('[jit]'), 0, 'jit');
    this.#vdso = builder.mapping(builder.string('[vdso]'), builder.string(sources.vdso.buildId), 'vdso');
  }

  /** `timeMs`: the second of the sample; code of JIT compilers changes. */
  resolve(
    binary: number,
    low: number,
    high: number,
    isReturn: boolean,
    pid: number,
    nowMs: number,
    timeMs: number,
  ): LocationIndex {
    if (binary >= FIRST_FILE_BINARY) return this.#file(binary, high * TWO_32 + low, isReturn, pid, nowMs);
    switch (binary) {
      case KERNEL_BINARY:
        return this.#kernelFrame(low, high, isReturn);
      case ANONYMOUS_BINARY:
        return this.#jitFrame(low, high, isReturn, pid, nowMs, timeMs);
      case VDSO_BINARY:
        this.buildIds.add(this.#sources.vdso.buildId);
        return this.#at(this.#vdso, this.#sources.vdso.base + high * TWO_32 + low - (isReturn ? 1 : 0));
      default:
        this.#unnamed.unmapped++;
        return this.#builder.location(0, low, high, []);
    }
  }

  /** The marker that stands for callers that could not be found. */
  stopped(reason: StoppedReason): LocationIndex {
    const mapping = this.#builder.mapping(this.#builder.string(STOPPED_MAPPING_FILE), 0, 'unknown');
    return this.#builder.location(mapping, 0, 0, [this.#function(stoppedFrameName(reason), '', 0), 0]);
  }

  #kernelFrame(low: number, high: number, isReturn: boolean): LocationIndex {
    const name = this.#sources.kernel.name(low, high, isReturn);
    if (name === undefined) {
      this.#unnamed.kernel++;
      return this.#builder.location(this.#kernel, low, high, []);
    }
    return this.#builder.location(this.#kernel, low, high, [this.#function(name, '', 0), 0]);
  }

  #jitFrame(
    low: number,
    high: number,
    isReturn: boolean,
    pid: number,
    nowMs: number,
    timeMs: number,
  ): LocationIndex {
    const frame = this.#sources.jit.find(pid, high * TWO_32 + low - (isReturn ? 1 : 0), nowMs, timeMs);
    if (frame === undefined) {
      this.#unnamed.jit++;
      return this.#builder.location(this.#jit, low, high, []);
    }
    const { name, filename, startLine, line, interpreted } = frame;
    const mapping = interpreted ? this.#interpreted() : this.#jit;
    return this.#builder.location(mapping, low, high, [this.#function(name, filename, startLine), line]);
  }

  #interpreted(): MappingIndex {
    return this.#builder.mapping(this.#builder.string('[interpreted]'), 0, 'interpreted');
  }

  #file(id: number, offset: number, isReturn: boolean, pid: number, nowMs: number): LocationIndex {
    const binary = this.#sources.binaries.get(id, pid, nowMs);
    // A return address may be the first byte behind the code: the call itself is one before.
    const wanted = isReturn ? offset - 1 : offset;
    if (binary === undefined) {
      this.#unnamed.unreadable++;
      return this.#at(0, wanted);
    }
    const { address, isElf } = binaryAddress(binary, wanted);
    if (!isElf) this.#unnamed.unreadable++;
    else this.buildIds.add(binary.buildId);
    const mappings = isElf ? this.#withId : this.#withoutId;
    let mapping = mappings.get(id);
    if (mapping === undefined) {
      // An offset under a build id would be taken for an address, and get a wrong name.
      const buildId = isElf ? this.#builder.string(binary.buildId) : 0;
      mapping = this.#builder.mapping(this.#builder.string(binary.path), buildId, 'native');
      mappings.set(id, mapping);
    }
    return this.#at(mapping, address);
  }

  #at(mapping: MappingIndex, address: number): LocationIndex {
    return this.#builder.location(mapping, address >>> 0, Math.floor(address / TWO_32), []);
  }

  #function(name: string, filename: string, startLine: number): FunctionIndex {
    const index = this.#builder.string(name);
    return this.#builder.function(index, index, this.#builder.string(filename), startLine);
  }
}
