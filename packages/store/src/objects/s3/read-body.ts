import { Readable } from 'node:stream';
import { S3AnswerError } from './s3-failure.ts';

/** Exactly `length` bytes; a body that ends before or goes on behind is a failure that may go away. */
export async function readBody(body: unknown, length: number, signal: AbortSignal): Promise<Uint8Array> {
  if (!(body instanceof Readable)) throw new S3AnswerError('retry', 'answer', 'its answer has no body');
  const bytes = new Uint8Array(length);
  let done = 0;
  return await new Promise((resolve, reject) => {
    const abort = (): void => {
      body.destroy();
      finish(new S3AnswerError('retry', 'timeout', 'the rest of its answer did not come'));
    };
    const finish = (error?: Error): void => {
      signal.removeEventListener('abort', abort);
      if (error === undefined) resolve(bytes);
      else reject(error);
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    body.on('data', (chunk: Uint8Array) => {
      if (done + chunk.length > length) {
        body.destroy();
        finish(
          new S3AnswerError('retry', 'answer', `its answer is longer than the ${length} bytes it announced`),
        );
        return;
      }
      bytes.set(chunk, done);
      done += chunk.length;
    });
    body.on('error', finish);
    body.on('end', () =>
      finish(
        done === length
          ? undefined
          : new S3AnswerError('retry', 'cut', `${done} of ${length} bytes of its answer came`),
      ),
    );
    body.on('close', () => {
      if (done < length)
        finish(new S3AnswerError('retry', 'cut', `${done} of ${length} bytes of its answer came`));
    });
  });
}
