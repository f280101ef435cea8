/** Paths in quotes, as the system's own messages have them: where a server keeps its files is nobody's business. */
const QUOTED_PATH = /(['"])\/[^'"]*\1/g;

/** A sentence for strangers: it still says what failed. */
export function withoutPaths(text: string): string {
  return text.replaceAll(QUOTED_PATH, 'a file of the server');
}
