/**
 * A short name for a function that survives a new query: 64 bits of a hash over what identifies it,
 * in base 36. Two FNV-1a hashes over UTF-16 units, with different starts; with 100,000 functions the
 * chance that any two collide is below 10⁻⁹.
 */
export function functionId(name: string, filename: string, binary: string): string {
  const text = `${name}\0${filename}\0${binary}`;
  let a = 0x811c9dc5;
  let b = 0x2f0b4c47;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x01000197) + 0x9e3779b9;
    b ^= b >>> 15;
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36).padStart(7, '0');
}
