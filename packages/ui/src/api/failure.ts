import { Code, ConnectError } from '@connectrpc/connect';

/** A failed question, for people. */
export interface Failure {
  /** What it means and what can be done. */
  readonly sentence: string;
  /** RPC status, such as invalid_argument. */
  readonly code: string;
  /** The server's words. */
  readonly message: string;
  /** Whether asking the same again may help. */
  readonly canRetry: boolean;
}

const SENTENCES: Readonly<Partial<Record<Code, { readonly sentence: string; readonly canRetry: boolean }>>> =
  {
    [Code.InvalidArgument]: { sentence: 'The server did not accept the question.', canRetry: false },
    [Code.OutOfRange]: { sentence: 'The question is larger than the server allows.', canRetry: false },
    [Code.ResourceExhausted]: { sentence: 'The server has too much to do now.', canRetry: true },
    [Code.NotFound]: { sentence: 'The server has nothing by that name.', canRetry: false },
    [Code.DataLoss]: { sentence: 'Stored data is damaged and cannot be read.', canRetry: true },
    [Code.Unavailable]: { sentence: 'The server does not answer. Is it running?', canRetry: true },
    [Code.FailedPrecondition]: { sentence: 'The server cannot do this as it is set up.', canRetry: false },
    [Code.DeadlineExceeded]: { sentence: 'The server took too long.', canRetry: true },
    [Code.Unimplemented]: { sentence: 'The server is of another version than this page.', canRetry: false },
  };

export function failureOf(error: unknown): Failure {
  const connectError = ConnectError.from(error);
  // fetch reports a refused connection as a TypeError, which Connect takes for unknown.
  const code =
    connectError.code === Code.Unknown && error instanceof TypeError ? Code.Unavailable : connectError.code;
  const known = SENTENCES[code];
  return {
    sentence: known?.sentence ?? 'Something went wrong.',
    code: codeName(code),
    message: connectError.rawMessage,
    canRetry: known?.canRetry ?? true,
  };
}

function codeName(code: Code): string {
  return (Code[code] ?? 'Unknown').replaceAll(/(?<=[a-z])(?=[A-Z])/gu, '_').toLowerCase();
}
