/**
 * The one error class. A code says what kind of failure it is and which RPC status it becomes;
 * the message says, for people, what is wrong, where, and what to do.
 */
export const ERROR_CODES = {
  /** The caller's input is malformed; `field` says where. Trying again will not help. */
  invalid_input: 'invalid_argument',
  /** A named limit was exceeded. Trying the same again will not help. */
  limit_exceeded: 'out_of_range',
  /** A queue or budget is full now. Try again later. */
  overloaded: 'resource_exhausted',
  not_found: 'not_found',
  /** Stored data failed its checksum or its format. */
  corrupt_data: 'data_loss',
  /** Something needed did not answer. Try again later. */
  unavailable: 'unavailable',
  /** This host or build cannot do it. */
  unsupported: 'failed_precondition',
  cancelled: 'canceled',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export class FleetflameError extends Error {
  override readonly name = 'FleetflameError';
  readonly code: ErrorCode;
  /** Path of the offending field, such as sample[3].location_id[0]. */
  readonly field: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly field?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
  }
}
