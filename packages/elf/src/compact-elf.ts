import type { ByteSource } from './byte-source.ts';
import { CompactImage, type CompactOptions } from './compact-image.ts';
import { ElfError } from './elf-error.ts';
import { ELF_LIMITS } from './limits.ts';

/**
 * A CompactImage in memory, for binaries that are small enough.
 * @throws ElfError when the file is not ELF as read here, is broken, or the result is larger than `maxBytes`
 *   (default: ELF_LIMITS.compactBytes).
 */
export function compactElf(
  source: ByteSource,
  options: CompactOptions & { readonly maxBytes?: number } = {},
): Uint8Array {
  const image = new CompactImage(source, options);
  const maxBytes = options.maxBytes ?? ELF_LIMITS.compactBytes;
  if (image.size > maxBytes) {
    throw new ElfError(`symbols of ${image.size} bytes: more than ${maxBytes} are not uploaded`);
  }
  return image.read(0, image.size);
}
