/**
 * What kind of value a sample type has, by the names that profilers give it. Sources: the documentation and
 * output of Go's runtime/pprof and net/http/pprof (delta profiles by `seconds=`), pprof-rs, jemalloc's and tikv's heap
 * profiles, pprof-nodejs, async-profiler and JFR converters, dotnet-trace converters, memray, py-spy, stackprof, vernier.
 * A name that is in no list is a rate: what happened adds up, and most of what is sampled happened.
 */
import type { SeriesKind } from '../block/block.ts';
import { parseProfileType } from '../profile-type/profile-type.ts';

/** What there is at a moment. */
const GAUGES: ReadonlySet<string> = new Set([
  // Go, Rust, C++ (jemalloc, tcmalloc), Node: what is in use.
  'inuse_objects',
  'inuse_space',
  'inuse_bytes',
  'inuse_count',
  'in_use_objects',
  'in_use_space',
  // Go
  'goroutine',
  'goroutines',
  'threadcreate',
  // Java (async-profiler --live, JFR OldObjectSample), .NET, Ruby, Python
  'live',
  'live_objects',
  'live_size',
  'live_space',
  'heap_live_objects',
  'heap_live_size',
  'heap_live_samples',
  'heap_space',
  'heap_size',
  'heap-live-objects',
  'heap-live-size',
  'heap-live-samples',
  'retained_objects',
  'retained_size',
  'retained_memsize',
  'rss',
  'memory_usage',
]);

/** Of a process since it began, unless the profile is a difference and says over which time. */
const CUMULATIVE: ReadonlySet<string> = new Set([
  'alloc_objects',
  'alloc_space',
  'alloc_bytes',
  'alloc_count',
  'allocations',
  'contentions',
  'delay',
]);
/** Names of profiles whose cumulative-sounding sample types are differences already: they are taken over a time. */
const WINDOWED_NAMES: ReadonlySet<string> = new Set(['process_cpu', 'wall', 'jfr', 'lock', 'alloc']);

/**
 * Go's node heap profiles and V8's sampling heap profiler call what is in use `objects` and `space`; so do files whose period
 * type is space.
 */
const HEAP_GAUGES: ReadonlySet<string> = new Set(['objects', 'space']);

/** `durationMs`: what the profile says it took; a difference says so, a snapshot since the start does not. */
export function kindOfType(profileType: string, durationMs: number): SeriesKind {
  const { name, sampleType, periodType } = parseProfileType(profileType);
  if (GAUGES.has(sampleType)) return 'gauge';
  if (HEAP_GAUGES.has(sampleType) && (name === 'memory' || periodType === 'space')) return 'gauge';
  if (!CUMULATIVE.has(sampleType) || WINDOWED_NAMES.has(name)) return 'rate';
  return durationMs > 0 ? 'rate' : 'cumulative';
}
