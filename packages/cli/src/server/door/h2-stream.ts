import { constants, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { Response } from '../one-port.ts';

/** The stream of an HTTP/2 answer; undefined: it is HTTP/1, whose connection is the stream. */
export function streamOf(response: Response): ServerHttp2Stream | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one of OnePort's two classes
  return (response as unknown as Partial<Http2ServerResponse>).stream;
}

/** Ends an answer in a way that its reader cannot take for its end. */
export function cutAnswer(response: Response): void {
  const stream = streamOf(response);
  if (stream === undefined) response.destroy();
  else if (!stream.destroyed) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
}
