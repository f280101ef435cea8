import { SamplerError } from './errors.ts';

/** What a rule looks at. */
export const FILTER_KINDS = ['exe', 'comm', 'cgroup', 'pid'] as const;
export type FilterKind = (typeof FILTER_KINDS)[number];

/**
 * One rule of what is profiled. A process that a `skip` rule matches is left out; where there are `only`
 * rules, so is one that none of them matches. Kernel threads are processes too.
 *
 * - exe: glob of the program's path as the process sees it
 * - comm: glob of the process's name, at most 15 characters
 * - cgroup: glob of a cgroup's path in any hierarchy, as in /proc/PID/cgroup, with all below it
 * - pid: the number of one process, without its children
 *
 * In a glob, `*` is any run of characters, `?` any one; in paths both without `/`, and `**` any run at all.
 */
export interface FilterRule {
  readonly action: 'only' | 'skip';
  readonly kind: FilterKind;
  readonly pattern: string;
}

/** A process is held against all of them, once. */
export const MAX_FILTER_RULES = 256;
/** The longest path of the kernel. */
export const MAX_FILTER_PATTERN = 4096;

/** @throws SamplerError invalid_input */
export function checkFilter(rules: readonly FilterRule[]): void {
  if (rules.length > MAX_FILTER_RULES) {
    throw new SamplerError(
      'invalid_input',
      `the filter has ${rules.length} rules: at most ${MAX_FILTER_RULES} are possible; a glob may do for several`,
    );
  }
  for (const rule of rules) {
    const problem = filterProblem(rule);
    if (problem !== '') throw new SamplerError('invalid_input', problem);
  }
}

/** What is wrong with a rule, "" for nothing. */
export function filterProblem({ kind, pattern }: FilterRule): string {
  if (pattern === '') return `${kind}: has no pattern behind it`;
  if (pattern.length > MAX_FILTER_PATTERN || pattern.includes('\0')) {
    return `${kind}: takes at most ${MAX_FILTER_PATTERN} characters, none of them NUL`;
  }
  if (kind === 'pid' && !/^[1-9]\d{0,6}$/.test(pattern))
    return `pid:${pattern} is not the number of a process`;
  // Such a rule could never match.
  if (kind === 'exe' && !/^[/*]/.test(pattern)) {
    return `exe:${pattern} is no path: begin it with "/" or "**/", as in exe:/usr/bin/* or exe:**/node`;
  }
  if (kind === 'cgroup' && !/^[/*]/.test(pattern)) {
    return `cgroup:${pattern} is no path of a cgroup: begin it with "/" or "**/", as in cgroup:/system.slice/*`;
  }
  return '';
}
