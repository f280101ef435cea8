/** What an error of the server says of a batch, and so what becomes of the batch. */
import { Code, type ConnectError } from '@connectrpc/connect';
import { ERROR_CODES, ERROR_CODE_HEADER, type ErrorCode } from '@fleetflame/profile';

/**
 *   final      it is wrong: sent again, it would be refused again. It is set aside.
 *   conflict   its number is taken by another content: it goes out under a fresh one.
 *   not_now    it cannot be taken at this moment, others may: they go first.
 *   suspect    a failure that may be its fault or the server's: after some of them others go first.
 *   wait       speaks of the server or the way to it: everything waits.
 */
export type Refusal = 'final' | 'conflict' | 'not_now' | 'suspect' | 'wait';

export function refusalOf(error: ConnectError): Refusal {
  const named = error.metadata.get(ERROR_CODE_HEADER) ?? undefined;
  if (named !== undefined && isErrorCode(named)) {
    if (named === 'conflict' || named === 'not_now') return named;
    if (ERROR_CODES[named].fault === 'sender') return 'final';
    return named === 'overloaded' || named === 'unavailable' ? 'wait' : 'suspect';
  }
  // A server from before that header, or somebody on the way.
  switch (error.code) {
    case Code.InvalidArgument:
    case Code.OutOfRange:
      return 'final';
    case Code.AlreadyExists:
      return 'conflict';
    case Code.Internal:
    case Code.Unknown:
    case Code.DataLoss:
    case Code.FailedPrecondition:
      // One with a cause is no answer: this end of the connection failed.
      return error.cause === undefined ? 'suspect' : 'wait';
    default:
      return 'wait';
  }
}

function isErrorCode(name: string): name is ErrorCode {
  return Object.hasOwn(ERROR_CODES, name);
}
