/**
 * The one error class. A code says what kind of failure it is, whose fault it is and which RPC status it
 * becomes; the message says, for people, what is wrong, where, and what to do.
 *
 * Whose fault decides what a sender does with what was refused:
 *
 *   sender   what was sent is wrong: the same again will be refused again, by everybody and for ever. Only
 *            this is ever set aside or given up.
 *   moment   what was sent may be right, but depends on others or on the moment: budgets that are shared,
 *            clocks, limits that somebody else has used up. It is kept and sent again later.
 *   server   this server cannot do it now or at all. It is kept and sent again later.
 *   nobody   it is an outcome, not a failure.
 */
export const ERROR_CODES = {
  /** The caller's input is malformed; `field` says where. */
  invalid_input: { status: 'invalid_argument', fault: 'sender' },
  /** A named limit on what one request may hold was exceeded. */
  limit_exceeded: { status: 'out_of_range', fault: 'sender' },
  /** The name of what was sent is taken by something else: send it under another one. */
  conflict: { status: 'already_exists', fault: 'sender' },
  /** A queue or budget is full now, for everything that this sender has. */
  overloaded: { status: 'resource_exhausted', fault: 'moment' },
  /** This one cannot be taken now, but others of the same sender may be: do not let them wait behind it. */
  not_now: { status: 'resource_exhausted', fault: 'moment' },
  not_found: { status: 'not_found', fault: 'nobody' },
  /** Stored data failed its checksum or its format. */
  corrupt_data: { status: 'data_loss', fault: 'server' },
  /** Something needed did not answer. */
  unavailable: { status: 'unavailable', fault: 'server' },
  /** This host or build cannot do it. */
  unsupported: { status: 'failed_precondition', fault: 'server' },
  cancelled: { status: 'canceled', fault: 'nobody' },
} as const satisfies Readonly<Record<string, { readonly status: string; readonly fault: Fault }>>;

export type Fault = 'sender' | 'moment' | 'server' | 'nobody';
export type ErrorCode = keyof typeof ERROR_CODES;

/** Header of an RPC's error that carries its ErrorCode: several codes share a status. */
export const ERROR_CODE_HEADER = 'fleetflame-error';

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
