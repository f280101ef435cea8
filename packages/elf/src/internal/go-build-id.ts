/** go build writes action/…/content, each part 15 bytes of hash in URL-safe base64. */
const FOUR_PARTS = /^(?:[\w-]{20}\/){1,3}([\w-]{20})$/;
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * The hash of the linked binary's contents (120 bits) from Go's build id, as hex; undefined for ids that other
 * build systems put there ("redacted" and such), which say nothing of the contents.
 */
export function goContentId(goBuildId: string | undefined): string | undefined {
  const content = FOUR_PARTS.exec(goBuildId ?? '')?.[1];
  if (content === undefined) return undefined;
  let bits = 0n;
  for (const character of content) bits = bits * 64n + BigInt(BASE64.indexOf(character));
  return bits.toString(16).padStart(30, '0');
}
