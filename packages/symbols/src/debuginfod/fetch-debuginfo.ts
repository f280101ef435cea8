import { open } from 'node:fs/promises';
import { displayName } from '../display-name.ts';
import type { DebuginfodLimits } from './limits.ts';

export type DebuginfodKind = 'debuginfo' | 'executable';

export type FetchResult =
  | { readonly result: 'found'; readonly bytes: number; readonly fileName: string }
  | { readonly result: 'not_found' }
  | { readonly result: 'too_large'; readonly problem: string }
  /** The server is at fault, or the way to it. */
  | { readonly result: 'failed'; readonly problem: string };

export interface FetchOptions {
  readonly maxBytes: number;
  readonly limits: DebuginfodLimits;
  readonly signal: AbortSignal;
}

/** GET SERVER/buildid/BUILDID/KIND, into a new file at `path`. The build id has been checked. */
export async function fetchDebuginfo(
  server: string,
  buildId: string,
  kind: DebuginfodKind,
  path: string,
  options: FetchOptions,
): Promise<FetchResult> {
  const { maxBytes, limits } = options;
  const stop = new AbortController();
  const idle = setTimeout(
    () => stop.abort(new Error(`no byte for ${limits.idleMs / 1000} s`)),
    limits.idleMs,
  );
  const signal = AbortSignal.any([options.signal, stop.signal, AbortSignal.timeout(limits.fetchMs)]);
  try {
    const response = await fetch(`${server}/buildid/${buildId}/${kind}`, { signal });
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      if (response.status === 404) return { result: 'not_found' };
      return { result: 'failed', problem: `it answered ${response.status}` };
    }
    const announced = Number(response.headers.get('content-length') ?? 0);
    const tooLarge = { result: 'too_large', problem: `more than ${maxBytes} bytes` } as const;
    if (announced > maxBytes) {
      await response.body.cancel();
      return tooLarge;
    }
    await using file = await open(path, 'wx', 0o600);
    let bytes = 0;
    // The types of fetch do not say that its chunks are bytes.
    const body: AsyncIterable<Uint8Array> = response.body;
    for await (const chunk of body) {
      idle.refresh();
      bytes += chunk.length;
      if (bytes > maxBytes) return tooLarge;
      for (let written = 0; written < chunk.length;) {
        written += (await file.write(chunk, written)).bytesWritten;
      }
    }
    const fileName = displayName(response.headers.get('x-debuginfod-file') ?? '');
    return { result: 'found', bytes, fileName };
  } catch (error) {
    return { result: 'failed', problem: reasonOf(error) };
  } finally {
    clearTimeout(idle);
  }
}

/** fetch says "fetch failed" and has the reason as its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
