const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Below this a loop over the bytes beats the call into the decoder; most names are shorter. */
const SHORT = 48;

/** The text of UTF-8 bytes; undefined when they are none. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (bytes.length <= SHORT) {
    let text = '';
    let at = 0;
    for (; at < bytes.length && bytes[at]! < 0x80; at++) text += String.fromCharCode(bytes[at]!);
    if (at === bytes.length) return text;
  }
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The text of bytes that are not all UTF-8, such as names in Latin-1: what is valid stays, every other
 * byte is written as \xNN, so that different names stay different and the bytes can be told.
 */
export function escapeNonUtf8(bytes: Uint8Array): string {
  const parts: string[] = [];
  let from = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    if (at > from) parts.push(strict.decode(bytes.subarray(from, at)));
    parts.push(`\\x${bytes[at]!.toString(16).padStart(2, '0')}`);
    from = ++at;
  }
  if (at > from) parts.push(strict.decode(bytes.subarray(from, at)));
  return parts.join('');
}

/** Bytes of the valid sequence at `at`, 0 when there is none: Unicode, table 3-7. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (length === 0 || at + length > bytes.length) return 0;
  const second = bytes[at + 1]!;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}
