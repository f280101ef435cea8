import type { ProfileType } from '../../profile-type/profile-type.ts';

/** A sample type or period type of a pprof profile. */
export interface ValueType {
  readonly type: string;
  readonly unit: string;
}

const HEAP = new Set(['space', 'objects', 'alloc_space', 'alloc_objects', 'inuse_space', 'inuse_objects']);

/**
 * The profile type of one of a profile's sample types. pprof has no name for the kind of profile:
 *   process_cpu  when the period type is cpu (Go, Python, Ruby, perf converters)
 *   memory       for the sample types of heap profiles
 *   else         the period type (goroutine, contentions, wall), or without one the sample type
 * Mutex and block profiles of Go are both "contentions": nothing in the file tells them apart.
 */
export function profileTypeOf(sample: ValueType, period: ValueType): ProfileType {
  let name = period.type === '' ? sample.type : period.type;
  if (period.type === 'cpu') name = 'process_cpu';
  else if (HEAP.has(sample.type) && (period.type === '' || HEAP.has(period.type))) name = 'memory';
  return {
    name,
    sampleType: sample.type,
    sampleUnit: sample.unit,
    periodType: period.type,
    periodUnit: period.unit,
  };
}
