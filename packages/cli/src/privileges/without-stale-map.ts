/**
 * V8 that is told to write a perf map (`--own-names`) ends at once when it cannot, and a process number of before may have
 * left one behind that belongs to another user. Runs what follows it after root has removed that.
 */
export function withoutStaleMap(execArgv: readonly string[]): readonly string[] {
  if (!execArgv.some((flag) => flag.startsWith('--perf-basic-prof'))) return [];
  return ['/bin/sh', '-c', 'rm -f "/tmp/perf-$$.map"; exec "$@"', 'fleetflame'];
}
