import type { ByteSource } from '../byte-source.ts';
import { PT_NOTE, SHT_NOTE } from '../constants.ts';
import type { ElfSection, ElfSegment } from '../elf-file.ts';
import { ELF_LIMITS } from '../limits.ts';
import { alignUp, viewOf } from './fields.ts';

export interface Identities {
  /** NT_GNU_BUILD_ID, lower-case hex. */
  readonly gnu: string | undefined;
  /** Go's build id as it stands in the file: "action/…/content". */
  readonly go: string | undefined;
  /** The id that `compactElf` was asked to stamp, lower-case hex. */
  readonly stamped: string | undefined;
}

export const STAMP_OWNER = 'Fleetflame';
export const STAMP_TYPE = 1;
const NT_GNU_BUILD_ID = 3;
const NT_GO_BUILD_ID = 4;
/** An id is 4 to 64 bytes: shorter ones are not unique, longer ones do not exist. */
const ID_BYTES = { min: 4, max: 64 } as const;
const GO_ID = /^[\x21-\x7e]{1,512}$/;

/**
 * ```
 * u32 namesz | u32 descsz | u32 type | name, zero-ended, padded | desc, padded
 * ```
 * Padding is to 4 bytes whatever the section's alignment says, except in 8-aligned property notes, which hold
 * no ids; a note that runs over the end ends its region quietly, since ids in other regions still count.
 */
export function readIdentities(
  source: ByteSource,
  segments: readonly ElfSegment[],
  sections: readonly ElfSection[],
): Identities {
  const found: { gnu: string | undefined; go: string | undefined; stamped: string | undefined } = {
    gnu: undefined,
    go: undefined,
    stamped: undefined,
  };
  let budget: number = ELF_LIMITS.noteBytes;
  const regions = new Map<number, number>();
  for (const section of sections) {
    if (section.type === SHT_NOTE) regions.set(section.offset, section.size);
  }
  for (const segment of segments) {
    if (segment.type === PT_NOTE && !regions.has(segment.offset))
      regions.set(segment.offset, segment.fileSize);
  }
  for (const [offset, size] of regions) {
    const length = Math.min(size, budget, source.size - offset);
    if (length < 12) continue;
    budget -= length;
    for (const note of notesOf(source.read(offset, length))) {
      if (note.owner === 'GNU' && note.type === NT_GNU_BUILD_ID) found.gnu ??= hexId(note.description);
      else if (note.owner === 'Go' && note.type === NT_GO_BUILD_ID) found.go ??= goId(note.description);
      else if (note.owner === STAMP_OWNER && note.type === STAMP_TYPE)
        found.stamped ??= hexId(note.description);
    }
  }
  return found;
}

interface Note {
  readonly owner: string;
  readonly type: number;
  readonly description: Uint8Array;
}

function* notesOf(bytes: Uint8Array): Generator<Note> {
  const view = viewOf(bytes);
  let at = 0;
  while (at + 12 <= bytes.length) {
    const nameSize = view.getUint32(at, true);
    const descriptionSize = view.getUint32(at + 4, true);
    const name = at + 12;
    const description = name + alignUp(nameSize, 4);
    const end = description + descriptionSize;
    if (end > bytes.length) return;
    if (nameSize <= 16) {
      yield {
        owner: ascii(bytes.subarray(name, name + nameSize)),
        type: view.getUint32(at + 8, true),
        description: bytes.subarray(description, end),
      };
    }
    at = description + alignUp(descriptionSize, 4);
  }
}

/** Text up to the zeros that end it (Go pads its owner with two). */
function ascii(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

function hexId(bytes: Uint8Array): string | undefined {
  if (bytes.length < ID_BYTES.min || bytes.length > ID_BYTES.max) return undefined;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function goId(bytes: Uint8Array): string | undefined {
  if (bytes.length > 512) return undefined;
  const text = ascii(bytes);
  return GO_ID.test(text) ? text : undefined;
}
