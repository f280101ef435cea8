/**
 * - not_built: the native addon is missing or does not load
 * - not_permitted: this process lacks a capability
 * - unsupported: the kernel lacks something, or refused the program
 * - invalid_input: an option is out of its range
 * - failed: anything else
 */
export type SamplerErrorCode = (typeof CODES)[number];

const CODES = ['not_built', 'not_permitted', 'unsupported', 'invalid_input', 'failed'] as const;

/** Why sampling is not possible; the message is a sentence for people, with what to do. */
export class SamplerError extends Error {
  override readonly name = 'SamplerError';
  readonly code: SamplerErrorCode;

  constructor(code: SamplerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Gives an error of the addon its class. */
  static from(error: unknown): SamplerError {
    if (error instanceof SamplerError) return error;
    const message = error instanceof Error ? error.message : String(error);
    const given = error instanceof Error && 'code' in error ? error.code : undefined;
    const code = CODES.find((known) => known === given) ?? 'failed';
    return new SamplerError(code, message, { cause: error });
  }
}
