import { Counter, type Registry } from 'prom-client';
import { gauge } from './service-metrics.ts';

export class StoreMetrics {
  readonly lookups: Counter<'result'>;
  readonly evicted: Counter;
  readonly damaged: Counter;
  readonly contradicting: Counter;
  readonly demangled: Counter<'result'>;

  constructor(registry: Registry, held: () => { readonly bytes: number; readonly tables: number }) {
    const registers = [registry];
    this.lookups = new Counter({
      name: 'fleetflame_symbols_tables_asked_total',
      help: 'Symbol tables asked for: in memory (hit), read from storage (miss), or not there (none).',
      labelNames: ['result'],
      registers,
    });
    this.evicted = new Counter({
      name: 'fleetflame_symbols_tables_evicted_total',
      help: 'Symbol tables dropped from memory to stay within the bound.',
      registers,
    });
    this.damaged = new Counter({
      name: 'fleetflame_symbols_objects_damaged_total',
      help: 'Stored symbol tables and records that failed their checks.',
      registers,
    });
    this.contradicting = new Counter({
      name: 'fleetflame_symbols_contradicting_total',
      help: 'Files not taken since their functions contradict those in force for their build id.',
      registers,
    });
    this.demangled = new Counter({
      name: 'fleetflame_symbols_names_total',
      help: 'Mangled names: demangled, or left as they are because c++filt failed or is missing.',
      labelNames: ['result'],
      registers,
    });
    gauge(registry, 'fleetflame_symbols_tables_bytes', 'Memory held by symbol tables.', () => held().bytes);
    gauge(registry, 'fleetflame_symbols_tables', 'Symbol tables in memory.', () => held().tables);
  }
}
