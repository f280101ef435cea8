import { matchesGlob } from 'node:path';

/** How much of a binary may leave the host: nothing, what names its functions, or its debug information as well. */
export const UPLOAD_WHAT = ['off', 'symbols', 'debug'] as const;
export type UploadWhat = (typeof UPLOAD_WHAT)[number];

export interface UploadRules {
  readonly what: UploadWhat;
  /** Patterns of paths, as the process sees them: *, ? and **. Nothing of such binaries leaves the host. */
  readonly skip: readonly string[];
}

export const UPLOAD_EVERYTHING: UploadRules = { what: 'debug', skip: [] };

/** Whether anything of the binary at this path may be sent. */
export function mayUpload({ what, skip }: UploadRules, path: string): boolean {
  return what !== 'off' && !skip.some((pattern) => matchesGlob(path, pattern));
}
