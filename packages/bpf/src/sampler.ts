/** Address space of a frame: which table its address belongs to. */
export const KERNEL_BINARY = 0;
/** Anonymous executable memory (JIT code): the address stays a virtual address of the process. */
export const ANONYMOUS_BINARY = 1;
/** No mapping of the process covers the address: it stays a virtual address. */
export const UNMAPPED_BINARY = 2;
/** The vDSO: the address is an offset into it. */
export const VDSO_BINARY = 3;
/** First id that the sampler gives to a file. */
export const FIRST_FILE_BINARY = 16;

export interface SamplerOptions {
  /** Samples per second and CPU, 1 to 1000. */
  readonly frequencyHz: number;
}

/** A file that was seen mapped executable. Reported once. */
export interface BinaryEvent {
  /** FIRST_FILE_BINARY or more. */
  readonly id: number;
  /** As the process sees it; may end in " (deleted)". */
  readonly path: string;
  /** Lower-case hex, or "" where the kernel found none. */
  readonly buildId: string;
  /** A process that has it mapped, and where: to open it through /proc/PID/map_files or root. */
  readonly pid: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly fileOffset: bigint;
}

/** What happened to a process, in order. */
export interface ProcessEvent {
  readonly kind: 'start' | 'exec' | 'exit';
  readonly pid: number;
  /** 0 when unknown. */
  readonly parentPid: number;
  /** Name of the main thread. */
  readonly comm: string;
  /** Path of the first executable file mapping, "" for kernel threads and when unknown. */
  readonly executable: string;
  /** True when the process was there before the sampler. */
  readonly existing: boolean;
  /** CLOCK_MONOTONIC nanoseconds. */
  readonly timeNs: number;
}

/**
 * Samples since the last collect, equal ones folded. Row i has `count[i]` samples of process
 * `pid[i]`, thread name `comms[comm[i]]`, in the second that starts at `timeMs[i]` (Unix). Its
 * frames are entries stackStart[i] to stackStart[i+1], leaf first, kernel frames before user frames.
 */
export interface Collection {
  readonly length: number;
  readonly pid: Uint32Array;
  readonly comm: Uint32Array;
  readonly timeMs: Float64Array;
  readonly count: Uint32Array;
  readonly stackStart: Uint32Array;
  /** KERNEL_BINARY, ANONYMOUS_BINARY, UNMAPPED_BINARY, VDSO_BINARY or a file's id. */
  readonly frameBinary: Uint32Array;
  /** File offset for files, offset for the vDSO, else the virtual address. */
  readonly frameAddress: BigUint64Array;
  /** 1 where the address is a return address: look it up at address - 1. */
  readonly frameIsReturn: Uint8Array;
  /** Bit set per row: STACK_* flags. */
  readonly flags: Uint8Array;
  readonly comms: readonly string[];
  readonly processes: readonly ProcessEvent[];
  readonly binaries: readonly BinaryEvent[];
}

/** The user stack ended at a page that could not be read. */
export const STACK_READ_FAILED = 1;
/** The stack was deeper than the limit of 127 frames. */
export const STACK_TRUNCATED = 2;
/** The mappings of the process were not known. */
export const STACK_NO_PROCESS = 4;

/** Counters since the start. Samples unless the name says otherwise. */
export interface SamplerStats {
  /** Interrupts in which the program ran, idle ones included. */
  readonly interrupts: number;
  readonly idle: number;
  /** Samples that reached the fold table. */
  readonly samples: number;
  /** Lost: no room in the ring buffer. */
  readonly lostRingFull: number;
  /** Lost: no room in the fold table. */
  readonly lostTableFull: number;
  /** Kept, but the user stack could not be read to its end. */
  readonly stackReadFailed: number;
  readonly stackTruncated: number;
  /** Process records that the kernel dropped. */
  readonly lostProcessRecords: number;
  /** CPUs that are being sampled now. */
  readonly cpus: number;
  readonly processes: number;
  readonly mappings: number;
  readonly binaries: number;
  /** Bytes of kernel maps, ring buffers and the fold table. */
  readonly memoryBytes: number;
  /** Nanoseconds spent in the BPF program; 0 unless kernel.bpf_stats_enabled. */
  readonly bpfRunTimeNs: number;
  readonly bpfRunCount: number;
  /** CPU nanoseconds of the drain thread. */
  readonly drainCpuNs: number;
}
