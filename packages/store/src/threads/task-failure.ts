import type { ErrorCode } from '@fleetflame/profile';

/** What a task that failed answers. */
export interface TaskFailure {
  readonly ok: false;
  readonly code: ErrorCode | 'internal';
  readonly message: string;
  /** The input that could not be read, when it was one. */
  readonly inputId: string | undefined;
}
