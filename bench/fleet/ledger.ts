import type { BatchSum, SimulatedBatch, SimulatedFleet } from './simulated-fleet.ts';

/** A batch whose agent ended before it got an ack: it must be there whole, once, or not at all. */
export interface UnknownBatch {
  readonly host: number;
  readonly sums: readonly BatchSum[];
}

/** What the store has said that it has, to the last integer: per minute, host and service of the host. */
export class Ledger {
  readonly #fleet: SimulatedFleet;
  readonly #minutes = new Map<number, Float64Array>();
  readonly #unknown: UnknownBatch[] = [];
  batches = 0;
  /** Sum of all values that were acked. */
  total = 0;
  /** Sum of all values that were sent at least once: no answer may hold more. */
  sent = 0;
  rows = 0;
  samples = 0;
  bytes = 0;

  constructor(fleet: SimulatedFleet) {
    this.#fleet = fleet;
  }

  /** Starts of the minutes with something acked, Unix ms. */
  get minutes(): number[] {
    return [...this.#minutes.keys()].toSorted((a, b) => a - b);
  }

  acked(batch: SimulatedBatch): void {
    this.batches++;
    this.rows += batch.rows;
    this.samples += batch.samples;
    this.bytes += batch.block.length;
    for (const sum of batch.sums) {
      const values = this.#minute(sum.minuteMs);
      const at = this.#place(batch.host, sum.service);
      values[at] = values[at]! + sum.value;
      this.total += sum.value;
    }
  }

  /** Before the first try. */
  sending({ sums }: SimulatedBatch): void {
    for (const { value } of sums) this.sent += value;
  }

  /** The agent ended before it got an answer to its last try. */
  unknown({ host, sums }: SimulatedBatch): void {
    this.#unknown.push({ host, sums });
    for (const { minuteMs } of sums) this.#minute(minuteMs);
  }

  unknownOf(host: number): UnknownBatch[] {
    return this.#unknown.filter((batch) => batch.host === host);
  }

  get unknownBatches(): number {
    return this.#unknown.length;
  }

  /** The acked value. */
  value(minuteMs: number, host: number, service: number): number {
    return this.#minutes.get(minuteMs)?.[this.#place(host, service)] ?? 0;
  }

  #place(host: number, service: number): number {
    const { servicesPerRole } = this.#fleet;
    return host * servicesPerRole + (service % servicesPerRole);
  }

  #minute(minuteMs: number): Float64Array {
    let values = this.#minutes.get(minuteMs);
    if (values === undefined) {
      values = new Float64Array(this.#fleet.shape.hosts * this.#fleet.servicesPerRole);
      this.#minutes.set(minuteMs, values);
    }
    return values;
  }
}
