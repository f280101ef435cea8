/** Counters of a thread that become those of the process: what they grew by since the last time. */
import { Counter, type Registry } from 'prom-client';

export interface CounterChange {
  readonly name: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly by: number;
}

export class CounterRelay {
  readonly #registry: Registry;
  /** By counter and labels, as far as it was told. */
  readonly #told = new Map<string, number>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async take(): Promise<CounterChange[]> {
    const changes: CounterChange[] = [];
    for (const metric of this.#registry.getMetricsAsArray()) {
      if (!(metric instanceof Counter)) continue;
      const { name, values } = await metric.get();
      for (const { labels, value } of values) {
        const key = `${name} ${JSON.stringify(labels)}`;
        const by = value - (this.#told.get(key) ?? 0);
        if (by <= 0) continue;
        this.#told.set(key, value);
        changes.push({ name, labels: definedOf(labels), by });
      }
    }
    return changes;
  }
}

/** Adds them to the counters of the same names; of others nothing is known here. */
export function addCounts(registry: Registry, changes: readonly CounterChange[]): void {
  for (const { name, labels, by } of changes) {
    const counter = registry.getSingleMetric(name);
    if (counter instanceof Counter) counter.inc({ ...labels }, by);
  }
}

function definedOf(
  labels: Readonly<Record<string, string | number | undefined>>,
): Record<string, string | number> {
  const defined: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(labels)) if (value !== undefined) defined[name] = value;
  return defined;
}
