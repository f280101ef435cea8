/** A name as a frame can be written, which has no quotes; one of only spaces would read as empty. */
export function foldedName(name: string): string {
  return name.replaceAll(';', ':').replaceAll(/\s+/g, ' ').trim() || '[unknown]';
}
