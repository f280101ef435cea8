/** The launcher gives the same to an agent that runs alone. */

/** The agent makes little garbage: a young generation of 1 MB saves 30 to 100 MB of memory. */
const FLAGS = ['--max-semi-space-size=1'];

/**
 * glibc keeps what was freed in heaps per thread, and raises the size from which memory goes back to the system as
 * soon as it is freed to the largest that was ever used. Building unwind tables and packing symbols are such peaks:
 * they made up a third of the resident memory. One heap, and a threshold that stays.
 */
const ALLOCATOR: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

/** How the agent's process is started so that it stays small; what is set in the environment stays. */
export function agentRuntime(
  execArgv: readonly string[],
  env: NodeJS.ProcessEnv,
): { readonly execArgv: string[]; readonly env: NodeJS.ProcessEnv } {
  return { execArgv: [...execArgv, ...FLAGS], env: { ...ALLOCATOR, ...env } };
}
