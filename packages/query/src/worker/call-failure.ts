import { FleetflameError, type ErrorCode } from '@fleetflame/profile';

/** An error as plain data, on its way from one thread to another. */
export interface CallFailure {
  readonly code: ErrorCode | 'internal';
  readonly message: string;
  readonly field: string | undefined;
  /** For the log, where nobody expected it. */
  readonly stack: string | undefined;
}

export function failureOf(error: unknown): CallFailure {
  if (error instanceof FleetflameError) {
    const { code, message, field } = error;
    return { code, message, field, stack: undefined };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { code: 'internal', message, field: undefined, stack };
}

export function errorOf({ code, message, field, stack }: CallFailure): Error {
  if (code !== 'internal') return new FleetflameError(code, message, field === undefined ? {} : { field });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
