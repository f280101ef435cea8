import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import { ERROR_CODE_HEADER, ERROR_CODES, FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { withoutPaths } from './without-paths.ts';

/** The Connect status of every name that ERROR_CODES uses. */
const STATUS: Readonly<Record<(typeof ERROR_CODES)[keyof typeof ERROR_CODES]['status'], Code>> = {
  invalid_argument: Code.InvalidArgument,
  out_of_range: Code.OutOfRange,
  already_exists: Code.AlreadyExists,
  resource_exhausted: Code.ResourceExhausted,
  not_found: Code.NotFound,
  data_loss: Code.DataLoss,
  unavailable: Code.Unavailable,
  failed_precondition: Code.FailedPrecondition,
  canceled: Code.Canceled,
};

/** What is wrong with a request repeats what the request said, and nothing of ours. */
function forStrangers({ code, message }: FleetflameError): string {
  const isAboutTheRequest = code === 'invalid_input' || code === 'limit_exceeded';
  return isAboutTheRequest ? message : withoutPaths(message);
}

/**
 * Turns what a service throws into a status that clients understand. The offending field travels in
 * the header fleetflame-field, its code in fleetflame-error. What nobody expected is logged whole and answered without details.
 */
export function rpcErrors(log: Logger): Interceptor {
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      const rpc = `${request.service.typeName}/${request.method.name}`;
      if (error instanceof FleetflameError) {
        log.debug({ rpc, code: error.code, field: error.field }, error.message);
        const { status } = ERROR_CODES[error.code];
        const headers = {
          [ERROR_CODE_HEADER]: error.code,
          ...(error.field === undefined ? {} : { 'fleetflame-field': encodeURI(error.field) }),
        };
        throw new ConnectError(forStrangers(error), STATUS[status], headers, undefined, error);
      }
      log.error({ rpc, err: error }, 'a request failed in a way that should not happen');
      throw new ConnectError(
        `${rpc} failed inside the server; its log says more`,
        Code.Internal,
        undefined,
        undefined,
        error,
      );
    }
  };
}
