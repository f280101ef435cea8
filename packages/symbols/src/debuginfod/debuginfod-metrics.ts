import { Counter, type Registry } from 'prom-client';
import { gauge } from '../service-metrics.ts';

export type DebuginfodResult = 'found' | 'not_found' | 'failed' | 'known_miss' | 'queue_full';

export class DebuginfodMetrics {
  readonly asked: Counter<'result'>;
  readonly requests: Counter<'result'>;
  readonly bytes: Counter;

  constructor(registry: Registry, queued: () => number) {
    const registers = [registry];
    this.asked = new Counter({
      name: 'fleetflame_symbols_debuginfod_binaries_total',
      help:
        'Binaries that debuginfod servers were asked for: found, not_found, failed (a server did not answer); ' +
        'known_miss: not asked, no server had it lately; queue_full: not asked now.',
      labelNames: ['result'],
      registers,
    });
    this.requests = new Counter({
      name: 'fleetflame_symbols_debuginfod_requests_total',
      help: 'Requests to debuginfod servers: found, not_found, too_large, failed; unusable: found, but refused here.',
      labelNames: ['result'],
      registers,
    });
    this.bytes = new Counter({
      name: 'fleetflame_symbols_debuginfod_bytes_total',
      help: 'Bytes of files that debuginfod servers gave.',
      registers,
    });
    gauge(registry, 'fleetflame_symbols_debuginfod_queued', 'Binaries that wait to be asked for.', queued);
  }
}
