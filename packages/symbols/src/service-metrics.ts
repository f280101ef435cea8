import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type RefusalReason =
  | 'build_ids'
  | 'uploadBytes'
  | 'supplementBytes'
  | 'partBytes'
  | 'parts'
  | 'uploads'
  | 'addressUploads'
  | 'addressBytes'
  | 'keptBytes'
  | 'queuedConversions'
  | 'malformed'
  | 'binary';

export class ServiceMetrics {
  readonly refused: Counter<'reason'>;
  readonly uploads: Counter<'result'>;
  readonly receivedBytes: Counter;
  readonly conversion: Histogram;
  readonly deleted: Counter;

  constructor(registry: Registry, now: () => { readonly uploads: number; readonly waiting: number }) {
    const registers = [registry];
    this.refused = new Counter({
      name: 'fleetflame_symbols_refused_total',
      help: 'Requests and uploads turned away, by the limit or rule that did it.',
      labelNames: ['reason'],
      registers,
    });
    this.uploads = new Counter({
      name: 'fleetflame_symbols_uploads_total',
      help:
        'Uploads: stored, refused, kept_other (what was there is better, or contradicts it), mixed (parts of several ' +
        'senders that do not fit together), expired without a new part, known already; calls that were sent away: busy ' +
        '(another sender uploads), postponed (a limit), part_unneeded (the part was there already).',
      labelNames: ['result'],
      registers,
    });
    this.receivedBytes = new Counter({
      name: 'fleetflame_symbols_received_bytes',
      help: 'Bytes of binaries received.',
      registers,
    });
    this.deleted = new Counter({
      name: 'fleetflame_symbols_replaced_objects_deleted_total',
      help: 'Tables and records that better ones had replaced, deleted after the grace.',
      registers,
    });
    this.conversion = new Histogram({
      name: 'fleetflame_symbols_conversion_seconds',
      help: 'Time from the last part of a binary to its stored table, waiting included.',
      buckets: [0.1, 0.3, 1, 3, 10, 30, 100],
      registers,
    });
    gauge(registry, 'fleetflame_symbols_uploads_open', 'Uploads under way.', () => now().uploads);
    gauge(
      registry,
      'fleetflame_symbols_conversions_waiting',
      'Conversions waiting or running.',
      () => now().waiting,
    );
  }
}

/** A gauge that is read when metrics are collected. */
export function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  registry.registerMetric(
    new Gauge({
      name,
      help,
      registers: [],
      collect() {
        this.set(value());
      },
    }),
  );
}
