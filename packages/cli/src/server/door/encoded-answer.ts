/**
 * Answers that a worker thread has written already, as JSON or protobuf: they take the place of the empty message that
 * the handler returned. Connect has made everything else of the response: status, headers, trailers.
 *
 *   Connect                     body: message
 *   gRPC, gRPC-web, streams     body: flags u8 · length u32 · message [· the same of trailers]
 */
import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { AnswerSlot } from '@fleetflame/query';
import { gzipFast } from '../compression.ts';
import { joinEnvelope, splitEnvelope } from './envelope.ts';

export const ANSWER_SLOT = createContextKey<AnswerSlot | undefined>(undefined, {
  description: 'where an answer goes that is written already',
});

/** For services, which know nothing of the door. */
export function answerSlotOf({ values }: HandlerContext): AnswerSlot | undefined {
  return values.get(ANSWER_SLOT);
}

/** Smaller ones are sent as they are. */
export const COMPRESS_MIN_BYTES = 2048;

export interface AnswerBody {
  readonly header: Headers;
  readonly parts: readonly Uint8Array[];
}

/** The body as it is sent; `accepted`: the encodings that who asked has named. */
export async function answerBody(
  answer: UniversalServerResponse,
  slot: AnswerSlot,
  isEnveloped: boolean,
  accepted: string,
): Promise<AnswerBody> {
  const header = new Headers(answer.header);
  const parts: Uint8Array[] = [];
  for await (const part of answer.body ?? []) parts.push(part);
  if (slot.bytes === undefined || answer.status !== 200) return { header, parts };
  const isGzip =
    slot.bytes.length >= COMPRESS_MIN_BYTES &&
    accepted.split(',').some((name) => name.trim() === gzipFast.name);
  const rest = isEnveloped ? splitEnvelope(Buffer.concat(parts)) : undefined;
  // An error has trailers and no message.
  if (isEnveloped && rest === undefined) return { header, parts };
  const bytes = isGzip ? await gzipFast.compress(slot.bytes) : slot.bytes;
  if (rest !== undefined) return { header, parts: [...joinEnvelope(bytes, isGzip), rest] };
  header.set('content-length', String(bytes.length));
  if (isGzip) header.set('content-encoding', gzipFast.name);
  return { header, parts: [bytes] };
}
