import { constants } from 'node:http2';
import { Code } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import type { Request, Response } from '../one-port.ts';
import { cutAnswer, streamOf } from './h2-stream.ts';
import { Refusal } from './refusal.ts';

const RPC_PATH = /^\/[a-z0-9_.]+\.[A-Z][A-Za-z0-9]*\/[A-Za-z0-9]+$/;

/** The answer to what was refused, or went wrong, in the words of the protocol that was asked in. */
export function answerError(request: Request, response: Response, error: unknown): void {
  // Nobody is there any more.
  if (streamOf(response)?.destroyed ?? request.socket.destroyed) return;
  const refusal = error instanceof Refusal ? error : undefined;
  if (response.headersSent) {
    // Half of an answer cannot be taken back: the client sees that it is cut.
    if (!response.writableEnded) cutAnswer(response);
    return;
  }
  const status = refusal?.status ?? 500;
  const sentence = refusal?.message ?? 'This failed inside the server; its log says more.';
  const code = refusal?.code ?? Code.Internal;
  for (const [name, value] of Object.entries(refusal?.headers ?? {})) response.setHeader(name, value);
  const type = request.headers['content-type'] ?? '';
  const isRpc = RPC_PATH.test((request.url ?? '').split('?')[0] ?? '');
  const isWhole = request.complete || request.readableEnded;
  if (isRpc && type.startsWith('application/grpc')) {
    response.writeHead(200, {
      'content-type': type,
      'grpc-status': String(code),
      'grpc-message': encodeURIComponent(sentence),
    });
    finish(request, response, isWhole);
    return;
  }
  const body = isRpc ? JSON.stringify({ code: codeToString(code), message: sentence }) : `${sentence}\n`;
  response.writeHead(status, {
    'content-type': isRpc ? 'application/json' : 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  finish(request, response, isWhole, request.method === 'HEAD' ? undefined : body);
}

/**
 * How long the rest of a refused HTTP/1 request is read and thrown away. A connection that is closed with bytes unread is
 * reset, and a reset takes the answer along: the sender would never learn what was wrong, and send it again.
 */
const LINGER_MS = 2000;

/** A sender that goes on sending does not get to send for long. */
function finish(request: Request, response: Response, isWhole: boolean, body?: string): void {
  const stream = streamOf(response);
  response.end(body);
  if (isWhole) return;
  request.resume();
  if (stream === undefined) {
    const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
    request.once('end', () => clearTimeout(cut));
  } else {
    stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
  }
}
