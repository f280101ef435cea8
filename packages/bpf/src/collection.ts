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

/** A file that was seen mapped executable. Reported once, before or with the first row that uses it. */
export interface BinaryEvent {
  /** FIRST_FILE_BINARY or more. */
  readonly id: number;
  /** As the process sees it; may end in " (deleted)". */
  readonly path: string;
  /** GNU build id in lower-case hex: from the kernel, else from the file; "" where there is none. */
  readonly buildId: string;
  /** A process that has it mapped, and where: to open it through /proc/PID/map_files or root. */
  readonly pid: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly fileOffset: bigint;
}

/**
 * What happened to a process, in order for each process. An `exit` comes some seconds after the end
 * (its timeNs is the end), when no more samples of the process can come; a pid that is used anew
 * gets the `exit` of the old process before the `start` of the new one.
 */
export interface ProcessEvent {
  readonly kind: 'start' | 'exec' | 'exit';
  readonly pid: number;
  /** 0 when unknown. */
  readonly parentPid: number;
  /** Name of the main thread. */
  readonly comm: string;
  /** Path of the program, "" for kernel threads and when unknown. A forked child has its parent's. */
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
  /** length + 1 entries. */
  readonly stackStart: Uint32Array;
  /** KERNEL_BINARY, ANONYMOUS_BINARY, UNMAPPED_BINARY, VDSO_BINARY or a file's id. */
  readonly frameBinary: Uint32Array;
  /** File offset for files, offset for the vDSO, else the virtual address. */
  readonly frameAddress: BigUint64Array;
  /** 1 where the address is a return address: look it up at address - 1. */
  readonly frameIsReturn: Uint8Array;
  /** Bit set per row: STACK_* flags. */
  readonly flags: Uint8Array;
  /** How the user stack of a row ended: an index of STACK_ENDS. */
  readonly end: Uint8Array;
  readonly comms: readonly string[];
  readonly processes: readonly ProcessEvent[];
  readonly binaries: readonly BinaryEvent[];
}

/** The user stack ended at a page that could not be read. */
export const STACK_READ_FAILED = 1;
/** The user stack was deeper than the limit of 127 frames. */
export const STACK_TRUNCATED = 2;
/** The mappings of the process were not known. */
export const STACK_NO_PROCESS = 4;
/** The chain of callers ended before the outermost frame; the row's `end` says why. */
export const STACK_CHAIN_BROKEN = 8;
/** The user stack reached the outermost frame: nothing is missing. */
export const STACK_COMPLETE = 16;
/** At least one caller was found by a frame pointer, not by a table. */
export const STACK_FRAME_POINTERS = 32;
/** Sampled before the unwind tables of its process were in place. */
export const STACK_TABLES_PENDING = 64;
/** The kernel's stack was deeper than the limit of 127 frames: between it and the user stack some are missing. */
export const STACK_KERNEL_TRUNCATED = 128;

/** How a user stack can end, by number. All but the first three leave callers out. */
export const STACK_ENDS = [
  /** There is no user stack. */
  'none',
  /** At the outermost frame. */
  'complete',
  /** More than 127 frames. */
  'truncated',
  /** A page of the stack could not be read. */
  'read_failed',
  /** A caller that cannot be one: below its callee, or not in user space. */
  'bad_frame',
  /** 32-bit code is not walked. */
  'compat',
  // From here on: there was no frame pointer that passes for one, and no row for the address, because
  /** the process was sampled for the first time, */
  'process_pending',
  /** no executable mapping covers it, */
  'no_mapping',
  /** it is in anonymous memory (JIT code), */
  'anonymous',
  /** the table of the binary was not built yet, */
  'table_pending',
  /** the table had no room, */
  'table_refused',
  /** the binary describes no frames, or they cannot be read, */
  'no_table',
  /** it is in a gap between described functions, */
  'no_row',
  /** what is said there cannot be followed. */
  'unsupported',
] as const;
export type StackEnd = (typeof STACK_ENDS)[number];
