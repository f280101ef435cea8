import type { Client } from '@connectrpc/connect';
import type { BinaryStatus, SymbolQuality, SymbolService } from '@fleetflame/proto/symbols/v1/symbols';

/** In memory twice, here and in the message. */
export const PART_BYTES = 1024 * 1024;
/** A server that loses parts again and again is not followed for ever. */
const MAX_STEPS_BACK = 8;
/** A call waits for a conversion on the server, but not for this long. */
const CALL_TIMEOUT_MS = 60_000;

export interface UploadToSend {
  readonly buildId: string;
  readonly fileName: string;
  readonly content: string;
  readonly quality: SymbolQuality;
  readonly supplementary: boolean;
  readonly sizeBytes: number;
  /** The bytes are used until the next call. */
  readonly read: (offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;
}

export interface SendOptions {
  /** Names the sender; 16 to 64 hex digits. */
  readonly uploader: string;
  readonly origin: 'agent' | 'cli';
  readonly signal?: AbortSignal;
  /** Store it also where something as good is. */
  readonly replace?: boolean;
  /** Wait until the server has stored what was sent, or refused it. */
  readonly waitForEnd?: boolean;
  /** Called after each part; may wait, to keep to a rate. */
  readonly onProgress?: (done: number) => Promise<void> | void;
}

export type SendResult =
  | { readonly state: 'stored'; readonly sentBytes: number; readonly binary: BinaryStatus | undefined }
  /** All was sent, and `waitForEnd` is not set. */
  | { readonly state: 'converting'; readonly sentBytes: number }
  /** Another sender uploads for this build id. */
  | { readonly state: 'busy'; readonly sentBytes: number; readonly retryMs: number };

/**
 * Sends a file in parts. The server says where it goes on: after the loss of a connection or a restart of either side,
 * calling this again sends only what is missing.
 * @throws ConnectError
 */
export async function sendUpload(
  client: Client<typeof SymbolService>,
  upload: UploadToSend,
  options: SendOptions,
): Promise<SendResult> {
  const { buildId, fileName, content, quality, supplementary, sizeBytes } = upload;
  const head = {
    buildId,
    fileName,
    content,
    quality,
    supplementary,
    totalBytes: BigInt(sizeBytes),
    uploader: options.uploader,
    origin: options.origin,
    replace: options.replace ?? false,
  };
  const call = {
    timeoutMs: CALL_TIMEOUT_MS,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  let offset = 0;
  let sentBytes = 0;
  let stepsBack = 0;
  // The first call only asks: perhaps there is nothing to be sent, or not from the start.
  let part: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  for (;;) {
    const answer = await client.upload({ ...head, offset: BigInt(offset), part }, call);
    sentBytes += part.length;
    if (answer.complete) return { state: 'stored', sentBytes, binary: answer.binary };
    if (answer.busyMs > 0) return { state: 'busy', sentBytes, retryMs: answer.busyMs };
    const next = Number(answer.nextOffset);
    if (next < offset && ++stepsBack > MAX_STEPS_BACK) {
      throw new Error(`the server lost parts ${stepsBack} times: given up at ${next} of ${sizeBytes} bytes`);
    }
    offset = Math.min(next, sizeBytes);
    await options.onProgress?.(offset);
    if (offset === sizeBytes && options.waitForEnd !== true) return { state: 'converting', sentBytes };
    part =
      offset < sizeBytes
        ? await upload.read(offset, Math.min(PART_BYTES, sizeBytes - offset))
        : new Uint8Array(0);
  }
}
