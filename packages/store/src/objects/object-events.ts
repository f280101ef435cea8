/**
 * What an object store did, as plain data: the thread that merges has its own store and sends these
 * to the process' metrics.
 */
export type ObjectOperation = 'put' | 'get' | 'range' | 'stat' | 'delete' | 'list';

export type ObjectEvent =
  | {
      /** One request on the wire, a repeated or hedged one too. */
      readonly kind: 'request';
      readonly operation: ObjectOperation;
      /** ok, or why it failed: a class of failures, not a message. */
      readonly outcome: string;
      readonly seconds: number;
      readonly sentBytes: number;
      readonly receivedBytes: number;
    }
  | { readonly kind: 'retry'; readonly operation: ObjectOperation; readonly reason: string }
  /** A second request beside a slow first one; `won`: its answer came first. */
  | { readonly kind: 'hedge'; readonly operation: ObjectOperation; readonly won: boolean }
  /** A call that was refused or given up, by the limit that turned it away. */
  | { readonly kind: 'refused'; readonly limit: 'waiting' | 'totalMs' | 'objectBytes' };

export type RecordObjectEvent = (event: ObjectEvent) => void;
