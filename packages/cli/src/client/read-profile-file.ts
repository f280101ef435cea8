import { readFile, stat } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { FleetflameError } from '@fleetflame/profile';
import { messageOf } from './message.ts';

/** Larger files than the server's message limit are refused before they are read. */
const MAX_FILE_BYTES = 60 << 20;

/** Standard input as a file. */
const STDIN = '-';

/** Bytes of a file, or of standard input for `-`. Throws invalid_input or limit_exceeded. */
export async function readProfileFile(file: string): Promise<Uint8Array> {
  try {
    if (file === STDIN) return sized(file, await buffer(process.stdin));
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES) throw tooLarge(file, size);
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof FleetflameError) throw cause;
    throw new FleetflameError('invalid_input', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

function sized(file: string, bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_FILE_BYTES) throw tooLarge(file, bytes.length);
  return bytes;
}

function tooLarge(file: string, size: number): FleetflameError {
  return new FleetflameError(
    'limit_exceeded',
    `${file} has ${size} bytes, more than the ${MAX_FILE_BYTES} that a server takes`,
  );
}
