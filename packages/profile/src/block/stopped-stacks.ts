/**
 * Stacks whose callers could not all be found. Such a stack has a marker in the place of the callers that
 * are missing: at the root, or between user and kernel frames where outer kernel frames are missing.
 *
 *   location ─▶ mapping   file `[unwind stopped]`, kind unknown, no build id
 *            └▶ function  `[unwind stopped: no row]`: the reason code, with spaces
 *
 * The codes are those of STACK_ENDS in the bpf package that leave callers out, and kernel_truncated.
 */

/** File of the mapping that all markers belong to. */
export const STOPPED_MAPPING_FILE = '[unwind stopped]';

/** Why the callers of a frame are not known: a sentence for people, and what to do about it. */
export const STOPPED_REASONS = {
  truncated: {
    what: 'The stack has more than 127 frames; the outer ones are left out.',
    remedy: 'Nothing is wrong: deep recursion. The 127 innermost frames are right.',
  },
  kernel_truncated: {
    what: 'The stack has more than 127 frames in the kernel; the outer ones of them are left out.',
    remedy: 'Nothing is wrong: the innermost frames and those of the program are right.',
  },
  read_failed: {
    what: 'A page of the stack was not in memory when the sample was taken.',
    remedy: 'Rare unless the host swaps: give it memory, or lock the memory of the process.',
  },
  bad_frame: {
    what: 'The next caller cannot be one: it lies below its callee or outside of user space.',
    remedy:
      'Code that keeps no frame pointer and describes no frames: build it with -fasynchronous-unwind-tables or -fno-omit-frame-pointer.',
  },
  compat: {
    what: '32-bit code is not walked.',
    remedy: 'Run the 64-bit build of the program.',
  },
  process_pending: {
    what: 'The process was so new that its mappings were not known yet.',
    remedy: 'Nothing to do: it passes within a second. A large share means many short-lived processes.',
  },
  no_mapping: {
    what: 'No executable mapping of the process covers the address of the next frame.',
    remedy:
      'Code that was unmapped while it ran, or a damaged stack. Nothing helps but to look at the program.',
  },
  anonymous: {
    what: 'The code was made at run time (JIT) and keeps no frame pointer.',
    remedy: 'Let the runtime keep frame pointers: for Java, -XX:+PreserveFramePointer.',
  },
  table_pending: {
    what: 'The unwind table of the binary was still being built.',
    remedy: 'Nothing to do: it is ready seconds after the binary is first seen, and kept.',
  },
  table_refused: {
    what: 'The unwind table of the binary did not fit into the memory set aside for tables.',
    remedy: 'Give the agent more memory for unwind tables.',
  },
  no_table: {
    what: 'The binary describes no stack frames, or what it says cannot be read.',
    remedy:
      'C, C++ and Rust: build it with -fasynchronous-unwind-tables or -fno-omit-frame-pointer. Go: every program has a table; report this one.',
  },
  no_row: {
    what: 'The address lies in a gap between the functions whose frames the binary describes.',
    remedy: 'Assembly without CFI directives: add them, or let it keep a frame pointer.',
  },
  unsupported: {
    what: 'The binary describes the frame in a way that is not followed here.',
    remedy: 'Build it with -fno-omit-frame-pointer, and report the binary as a bug of Fleetflame.',
  },
} as const satisfies Readonly<Record<string, { readonly what: string; readonly remedy: string }>>;

export type StoppedReason = keyof typeof STOPPED_REASONS;

const PREFIX = '[unwind stopped: ';

/** Name of the marker's function. */
export function stoppedFrameName(reason: StoppedReason): string {
  return `${PREFIX}${reason.replaceAll('_', ' ')}]`;
}

/** The reason in a marker's name; undefined: one that this version does not know. */
export function stoppedReasonOf(name: string): StoppedReason | undefined {
  if (!name.startsWith(PREFIX)) return undefined;
  const code = name.slice(PREFIX.length, -1).replaceAll(' ', '_');
  return isReason(code) ? code : undefined;
}

/** What a reason code means and what helps; undefined: one that this version does not know. */
export function stoppedHelp(code: string): { readonly what: string; readonly remedy: string } | undefined {
  return isReason(code) ? STOPPED_REASONS[code] : undefined;
}

function isReason(code: string): code is StoppedReason {
  return Object.hasOwn(STOPPED_REASONS, code);
}
