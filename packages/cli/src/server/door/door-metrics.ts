import { Counter, Gauge, type Registry } from 'prom-client';
import type { RefusalReason } from './refusal.ts';

/** What the door holds now; gauges ask for it. */
export interface DoorState {
  readonly connections: number;
  readonly idleConnections: number;
  readonly receivingBytes: number;
  readonly inflatedBytes: number;
  readonly waiting: number;
}

export class DoorMetrics {
  readonly refused: Counter<'limit'>;
  /** Exceptions of handlers that became an answer. */
  readonly errors: Counter<'part'>;
  readonly cut: Counter<'reason'>;
  /** What came past the door: 0, or there is a way round it. */
  readonly uncaught: Counter;

  constructor(registry: Registry, state?: () => DoorState) {
    const registers = [registry];
    this.refused = new Counter({
      name: 'fleetflame_door_refused_total',
      help: 'Requests and connections turned away, by the limit (limits.door.*) or the reason.',
      labelNames: ['limit'],
      registers,
    });
    this.errors = new Counter({
      name: 'fleetflame_door_errors_total',
      help: 'Exceptions of handlers, answered as an internal error.',
      labelNames: ['part'],
      registers,
    });
    this.cut = new Counter({
      name: 'fleetflame_door_connections_cut_total',
      help: 'Connections that were ended: idle ones for room, silent, slow or stalled ones.',
      labelNames: ['reason'],
      registers,
    });
    this.uncaught = new Counter({
      name: 'fleetflame_uncaught_errors_total',
      help: 'Errors that no handler caught; each ends the process.',
      registers,
    });
    if (state === undefined) return;
    gauge(registry, 'connections', 'Connections open.', () => state().connections);
    gauge(registry, 'idle_connections', 'Connections without a request.', () => state().idleConnections);
    gauge(
      registry,
      'receiving_bytes',
      'Bytes of bodies being received or worked on, as sent.',
      () => state().receivingBytes,
    );
    gauge(
      registry,
      'inflated_bytes',
      'Bytes that compressed bodies have become.',
      () => state().inflatedBytes,
    );
    gauge(registry, 'waiting', 'Bodies that wait for their turn.', () => state().waiting);
  }

  refuse(reason: RefusalReason): void {
    this.refused.inc({ limit: reason });
  }
}

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  registry.registerMetric(
    new Gauge({
      name: `fleetflame_door_${name}`,
      help,
      registers: [],
      collect() {
        this.set(value());
      },
    }),
  );
}
