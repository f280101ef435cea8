import { Counter, Histogram, type Registry } from 'prom-client';
import type { ObjectEvent } from './object-events.ts';

/** From a server beside us to an attempt's time limit. */
const BUCKETS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** Counters of requests to object storage; a directory makes none. */
export class ObjectMetrics {
  readonly #seconds: Histogram<'operation'>;
  readonly #requests: Counter<'operation' | 'outcome'>;
  readonly #bytes: Counter<'direction'>;
  readonly #retries: Counter<'operation' | 'reason'>;
  readonly #hedges: Counter<'operation' | 'won'>;
  readonly #refused: Counter<'limit'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter<L>({ name: `fleetflame_objects_${name}_total`, help, labelNames, registers });
    this.#seconds = new Histogram({
      name: 'fleetflame_objects_request_seconds',
      help: 'Requests to object storage that were answered, by operation.',
      labelNames: ['operation'],
      registers,
      buckets: BUCKETS,
    });
    this.#requests = counter('requests', 'Requests to object storage, by how they ended.', [
      'operation',
      'outcome',
    ]);
    this.#bytes = counter('bytes', 'Bytes of objects sent and received.', ['direction']);
    this.#retries = counter('retries', 'Requests repeated, by why the one before failed.', [
      'operation',
      'reason',
    ]);
    this.#hedges = counter('hedges', 'Second requests beside a slow one, by whether they answered first.', [
      'operation',
      'won',
    ]);
    this.#refused = counter('refused', 'Calls given up because of a limit, by limit.', ['limit']);
  }

  readonly record = (event: ObjectEvent): void => {
    switch (event.kind) {
      case 'request':
        this.#requests.inc({ operation: event.operation, outcome: event.outcome });
        if (event.outcome === 'ok') this.#seconds.observe({ operation: event.operation }, event.seconds);
        this.#bytes.inc({ direction: 'sent' }, event.sentBytes);
        this.#bytes.inc({ direction: 'received' }, event.receivedBytes);
        break;
      case 'retry':
        this.#retries.inc({ operation: event.operation, reason: event.reason });
        break;
      case 'hedge':
        this.#hedges.inc({ operation: event.operation, won: String(event.won) });
        break;
      case 'refused':
        this.#refused.inc({ limit: event.limit });
        break;
    }
  };
}
