/** Longest label value, in UTF-16 units. Container ids have 64, systemd units up to 255 in theory. */
export const MAX_LABEL_VALUE_LENGTH = 200;

// oxlint-disable-next-line no-control-regex -- control characters are what is removed here
const CONTROL = /[\u0000-\u001F\u007F-\u009F]+/g;

/**
 * Makes a string that some process chose fit to be a label value: well-formed Unicode, no control
 * characters, no surrounding space, bounded. A cut value ends in "…", so that it can be told from a whole one.
 */
export function cleanValue(text: string): string {
  const clean = text.toWellFormed().replace(CONTROL, ' ').trim();
  if (clean.length <= MAX_LABEL_VALUE_LENGTH) return clean;
  // A cut between the halves of a pair leaves a lone surrogate: drop it.
  return `${clean.slice(0, MAX_LABEL_VALUE_LENGTH - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
