/** Why frames have no names, and what to do about it. */
export interface UnnamedHelp {
  readonly why: string;
  readonly remedy: string;
}

const REASONS: Readonly<Record<string, UnnamedHelp>> = {
  no_build_id: {
    why: 'The binary has no build id.',
    remedy: 'Link it with --build-id, so that its symbols can be found.',
  },
  not_uploaded: {
    why: 'Its symbols are not uploaded yet.',
    remedy: 'The agent uploads them once; look again in a minute.',
  },
  no_symbols: {
    why: 'It is stripped: there are no symbols in it.',
    remedy: 'Install its debug package, or keep the symbol table when building.',
  },
  not_covered: {
    why: 'Its symbols do not reach these addresses.',
    remedy: 'A stripped binary names only what it exports; its debug package names the rest.',
  },
  no_mapping: {
    why: 'The code is in no known file.',
    remedy: 'Code made at run time: start the runtime with perf map support (node --perf-basic-prof).',
  },
};

/** Code made at run time has no file, so what helps is another thing. */
const JIT: UnnamedHelp = {
  why: 'It was made at run time, and no perf map names it.',
  remedy: 'Start the runtime with a perf map, such as node --perf-basic-prof.',
};

const KERNEL: UnnamedHelp = {
  why: 'The agent could not name these kernel addresses.',
  remedy: 'It reads /proc/kallsyms, which needs CAP_SYSLOG: ./fleetflame doctor says whether it may.',
};

/** `reason`: as in coverage; one that this page does not know explains itself. */
export function unnamedHelp(binary: string, reason: string): UnnamedHelp {
  if (binary === '[jit]') return JIT;
  if (binary === '[kernel]') return KERNEL;
  return REASONS[reason] ?? { why: reason, remedy: '' };
}
