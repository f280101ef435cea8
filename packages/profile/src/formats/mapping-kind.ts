import type { MappingKind } from '../block/block.ts';

/**
 * What kind of code a mapping of a file holds. Formats do not say; the names are those that
 * kernels, perf and Fleetflame's own exports use.
 */
export function mappingKind(file: string, buildId: string): MappingKind {
  if (file === '' && buildId === '') return 'unknown';
  if (file === '[vdso]' || /(?:^|\/)linux-(?:vdso|gate)[\w.]*$/.test(file)) return 'vdso';
  if (
    /^\[(?:kernel|guest\.kernel)/.test(file) ||
    /(?:^|\/)(?:vmlinux|vmlinuz)[^/]*$/.test(file) ||
    file.endsWith('.ko')
  ) {
    return 'kernel';
  }
  if (file === '[jit]' || file === '//anon' || file === '[anon]') return 'jit';
  return 'native';
}
