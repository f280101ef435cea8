import { readFileSync } from 'node:fs';

const NT_GNU_BUILD_ID = 3;

/** GNU build id of the running kernel, lower-case hex; "" when the kernel does not tell. */
export function kernelBuildId(path = '/sys/kernel/notes'): string {
  let notes: Buffer;
  try {
    notes = readFileSync(path);
  } catch {
    return '';
  }
  return buildIdOfNotes(notes);
}

/** Notes one after another: name size, contents size, type, name, contents, each padded to 4 bytes. */
export function buildIdOfNotes(notes: Buffer): string {
  for (let at = 0; at + 12 <= notes.length;) {
    const nameSize = notes.readUInt32LE(at);
    const size = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const contents = at + 12 + padded(nameSize);
    if (contents + size > notes.length) return '';
    if (type === NT_GNU_BUILD_ID && notes.toString('latin1', at + 12, at + 12 + nameSize) === 'GNU\0') {
      return notes.toString('hex', contents, contents + size);
    }
    at = contents + padded(size);
  }
  return '';
}

function padded(size: number): number {
  return Math.ceil(size / 4) * 4;
}
