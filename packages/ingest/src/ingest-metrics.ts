import type { FleetflameError } from '@fleetflame/profile';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RefusalReason } from './limits.ts';

/** An ack takes about a segment; the goal is a p99 of 1.5 s. */
const ACK_BUCKETS = [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5, 10, 30];
const SEGMENT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class IngestMetrics {
  readonly batches: Counter<'source'>;
  readonly bytes: Counter<'source'>;
  readonly rows: Counter<'source'>;
  readonly duplicates: Counter<'source'>;
  readonly changed: Counter<'what'>;
  readonly implausible: Counter<'source' | 'reason'>;
  readonly segments: Counter<'outcome'>;
  readonly segmentSeconds: Histogram;
  readonly decodeSeconds: Histogram;
  readonly mergeSeconds: Histogram;
  readonly encodeSeconds: Histogram;
  readonly workerDeaths: Counter;
  readonly ackSeconds: Histogram<'source'>;
  readonly #refused: Counter<'reason'>;

  constructor(
    registry: Registry,
    now: () => {
      readonly batches: number;
      readonly bytes: number;
      readonly series: number;
      readonly workers: number;
    },
  ) {
    const registers = [registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter<L>({ name: `fleetflame_ingest_${name}`, help, labelNames, registers });
    const seconds = <L extends string = never>(
      name: string,
      help: string,
      buckets: number[],
      labelNames: L[] = [],
    ) => new Histogram<L>({ name: `fleetflame_ingest_${name}`, help, labelNames, registers, buckets });
    this.batches = counter('batches_total', 'Batches acked.', ['source']);
    this.bytes = counter('received_bytes_total', 'Bytes of acked batches, as sent.', ['source']);
    this.rows = counter('rows_total', 'Sample rows of acked batches.', ['source']);
    this.duplicates = counter('duplicates_total', 'Batches acked that had been committed before.', [
      'source',
    ]);
    this.changed = counter(
      'changed_total',
      'Odd values of pushed files that were changed so that the rest could be taken, by kind (docs/import.md).',
      ['what'],
    );
    this.implausible = counter(
      'implausible_total',
      'Batches refused for values that cannot be true: below 0 (negative), more CPU time than CPUs have (cpu_time).',
      ['source', 'reason'],
    );
    this.segments = counter('segments_total', 'Segments by how they ended.', ['outcome']);
    this.segmentSeconds = seconds(
      'segment_seconds',
      'From a closed segment to its last ack: merge, encode, put, commit.',
      SEGMENT_BUCKETS,
    );
    this.encodeSeconds = seconds('encode_seconds', 'Encoding the block of a segment.', SEGMENT_BUCKETS);
    this.workerDeaths = counter('worker_deaths_total', 'Threads that decode and ended by themselves.', []);
    this.mergeSeconds = seconds('merge_seconds', 'Merging the batches of a segment.', SEGMENT_BUCKETS);
    this.decodeSeconds = seconds('decode_seconds', 'Decoding and checking one batch.', SEGMENT_BUCKETS);
    this.ackSeconds = seconds('ack_seconds', 'From a decoded batch to its ack.', ACK_BUCKETS, ['source']);
    this.#refused = counter('refused_total', 'Batches refused, by reason.', ['reason']);
    registry.registerMetric(
      new Gauge({
        name: 'fleetflame_ingest_pending_batches',
        help: 'Batches that wait for their segment.',
        registers: [],
        collect() {
          this.set(now().batches);
        },
      }),
    );
    registry.registerMetric(
      new Gauge({
        name: 'fleetflame_ingest_pending_bytes',
        help: 'Memory of batches that wait for their segment.',
        registers: [],
        collect() {
          this.set(now().bytes);
        },
      }),
    );
    registry.registerMetric(
      new Gauge({
        name: 'fleetflame_ingest_open_workers',
        help: 'Threads that decode and get batches.',
        registers: [],
        collect() {
          this.set(now().workers);
        },
      }),
    );
    registry.registerMetric(
      new Gauge({
        name: 'fleetflame_ingest_active_series',
        help: 'Label sets that were sent within the idle time.',
        registers: [],
        collect() {
          this.set(now().series);
        },
      }),
    );
  }

  /** Counts a refusal and hands its error back, to be thrown. */
  refuse(reason: RefusalReason, error: FleetflameError): FleetflameError {
    this.#refused.inc({ reason });
    return error;
  }
}
