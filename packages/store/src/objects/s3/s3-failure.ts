/**
 * What a failed request means: whether to try again, and what to tell. The messages name the bucket
 * and the endpoint, and say what to set.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { S3ObjectStoreConfig } from './s3-config.ts';

export interface S3Failure {
  /**
   * missing  the object is not there             exists   the key is taken
   * range    the object ends before the range    absent   the server does not know this kind of request
   * retry    may be gone by the next attempt     refused  will not be, until somebody changes something
   * mismatch the bytes are not those that were written; perhaps only on their way here
   */
  readonly kind: 'missing' | 'exists' | 'range' | 'absent' | 'retry' | 'refused' | 'mismatch';
  /** For metrics: few different ones. */
  readonly reason: string;
  /** For people, a part of a sentence. */
  readonly detail: string;
  /** What the server asked for. */
  readonly waitMs: number;
}

/** Thrown inside an attempt when the answer came, but is not what was asked for. */
export class S3AnswerError extends Error {
  override readonly name = 'S3AnswerError';
  readonly failure: S3Failure;

  constructor(kind: S3Failure['kind'], reason: string, detail: string) {
    super(detail);
    this.failure = { kind, reason, detail, waitMs: 0 };
  }
}

/** Codes of 4xx that say "again". */
const AGAIN = new Set([
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'ConditionalRequestConflict',
  'OperationAborted',
  'SlowDown',
  'TooManyRequests',
  // The body was changed on its way.
  'BadDigest',
  'XAmzContentSHA256Mismatch',
]);
const FORBIDDEN = new Set(['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken']);
const ELSEWHERE = new Set(['PermanentRedirect', 'TemporaryRedirect', 'AuthorizationHeaderMalformed']);
/** A server that asks for a longer wait than this is asked again sooner all the same. */
const MOST_RETRY_AFTER_MS = 10_000;

export function describeFailure(error: unknown, config: S3ObjectStoreConfig): S3Failure {
  if (error instanceof S3AnswerError) return error.failure;
  const { name, message, code, status, retryAfter } = inspect(error);
  const failure = (kind: S3Failure['kind'], reason: string, detail: string, waitMs = 0): S3Failure => ({
    kind,
    reason,
    detail,
    waitMs,
  });
  const said = `${name}${status === undefined ? '' : ` (${status})`}: ${message}`;
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError') {
    return failure(
      'refused',
      'credentials',
      `there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with its file, or run with a role (${message})`,
    );
  }
  if (status === undefined) {
    if (isCertificate(code)) {
      return failure(
        'refused',
        'certificate',
        `its certificate is not trusted (${code}): set NODE_EXTRA_CA_CERTS to the file of its authority`,
      );
    }
    if (code === 'EPROTO') {
      return failure('refused', 'protocol', `it does not speak TLS: is the endpoint http://? (${code})`);
    }
    return failure(
      'retry',
      'connection',
      `it cannot be reached or cut the connection: ${code ?? name} ${message}`,
    );
  }
  if (name === 'NoSuchBucket') {
    return failure(
      'refused',
      'bucket',
      `the bucket does not exist: create it, or correct the objects URL (${said})`,
    );
  }
  if (name === 'NoSuchKey' || name === 'NotFound' || status === 404)
    return failure('missing', 'not_found', said);
  if (status === 412) return failure('exists', 'exists', said);
  if (status === 416) return failure('range', 'range', said);
  if (status === 501) return failure('absent', 'not_implemented', said);
  if (FORBIDDEN.has(name) || status === 401 || status === 403) {
    return failure('refused', 'permission', `${permissionAdvice(name, config)} (${said})`);
  }
  if (ELSEWHERE.has(name) || (status >= 300 && status < 400)) {
    return failure(
      'refused',
      'region',
      `the bucket is in another region than ${config.region}: set the region (${said})`,
    );
  }
  if (status >= 500 || status === 429 || status === 408 || AGAIN.has(name)) {
    return failure('retry', status >= 500 ? String(status) : name, `it answers ${said}`, retryAfter);
  }
  // A success whose body could not be read: cut, or not from S3.
  if (status < 300) return failure('retry', 'answer', `its answer is not readable: ${said}`);
  return failure('refused', 'refused', said);
}

/** As the callers of the store see it. */
export function s3Error(
  what: string,
  failure: S3Failure,
  config: S3ObjectStoreConfig,
  cause: unknown,
): FleetflameError {
  const where = `bucket ${config.bucket} at ${config.endpoint ?? `AWS S3 in ${config.region}`}`;
  switch (failure.kind) {
    case 'missing':
      return new FleetflameError('not_found', `${what} is not there, in ${where}.`, { cause });
    case 'range':
    case 'mismatch':
      return new FleetflameError('corrupt_data', `${what}, in ${where}: ${failure.detail}.`, { cause });
    case 'exists':
      return new FleetflameError(
        'invalid_input',
        `${what} exists with other bytes, and objects are immutable: write it under a new key.`,
        { field: 'key', cause },
      );
    default:
      return new FleetflameError('unavailable', `${what}, in ${where}: ${failure.detail}.`, { cause });
  }
}

function permissionAdvice(name: string, config: S3ObjectStoreConfig): string {
  if (name === 'InvalidAccessKeyId' || name === 'SignatureDoesNotMatch') {
    return 'the access key or its secret is wrong: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what stands in for them';
  }
  if (name === 'ExpiredToken') return 'the credentials have expired: renew them';
  const resource = `arn:aws:s3:::${config.bucket}`;
  return `these credentials may not do this: allow s3:ListBucket on ${resource} and s3:GetObject, s3:PutObject and s3:DeleteObject on ${resource}/${config.prefix}*`;
}

function isCertificate(code: string | undefined): boolean {
  return (
    code !== undefined &&
    (code.includes('CERT') || code.startsWith('ERR_TLS') || code.startsWith('UNABLE_TO_'))
  );
}

/** The fields that the client's errors and Node's have, where they have them. */
function inspect(error: unknown): {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly retryAfter: number;
} {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: String(error), code: undefined, status: undefined, retryAfter: 0 };
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const metadata = field(error, '$metadata');
  const status = field(metadata, 'httpStatusCode');
  const after = Number(field(field(field(error, '$response'), 'headers'), 'retry-after'));
  return {
    name: error.name,
    message: error.message,
    code,
    status: typeof status === 'number' ? status : undefined,
    retryAfter: after > 0 ? Math.min(after * 1000, MOST_RETRY_AFTER_MS) : 0,
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value
    ? (Reflect.get(value, name) as unknown)
    : undefined;
}
