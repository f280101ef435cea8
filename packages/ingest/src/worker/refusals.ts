import type { FleetflameError } from '@fleetflame/profile';
import type { RefusalReason } from '../limits.ts';

/** Values that cannot be true: below 0, or more CPU time than CPUs have. */
export type ImplausibleReason = 'negative' | 'cpu_time';

/** Who counts refusals: metrics, or in a worker a note to the thread that has the metrics. */
export interface RefusalCounter {
  /** Counts a refusal and hands its error back, to be thrown. */
  refuse(reason: RefusalReason, error: FleetflameError, implausible?: ImplausibleReason): FleetflameError;
}

interface Why {
  readonly reason: RefusalReason;
  readonly implausible: ImplausibleReason | undefined;
}

/** Remembers why an error was thrown, for whoever catches it. */
export class Refusals implements RefusalCounter {
  static readonly #reasons = new WeakMap<object, Why>();

  static of(error: unknown): Why | undefined {
    return typeof error === 'object' && error !== null ? Refusals.#reasons.get(error) : undefined;
  }

  refuse(reason: RefusalReason, error: FleetflameError, implausible?: ImplausibleReason): FleetflameError {
    Refusals.#reasons.set(error, { reason, implausible });
    return error;
  }
}
