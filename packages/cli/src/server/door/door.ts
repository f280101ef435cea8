import type { ConnectRouter, ConnectRouterOptions } from '@connectrpc/connect';
import type { IngestLimits } from '@fleetflame/ingest';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { OnePort } from '../one-port.ts';
import { ClientAddresses } from './client-address.ts';
import { DoorMetrics } from './door-metrics.ts';
import { guard, type DoorHandler } from './guard.ts';
import { Hosts } from './hosts.ts';
import { DOOR_LIMITS, type DoorLimits } from './limits.ts';
import { RareLog } from './rare-log.ts';
import { ReceiveBudget } from './receive-budget.ts';
import { rpcDoor } from './rpc-door.ts';
import { Turns } from './turns.ts';
import { Watch } from './watch.ts';

export interface DoorOptions {
  readonly registry: Registry;
  readonly log: Logger;
  /** Where it will listen. */
  readonly host: string;
  readonly limits?: Partial<DoorLimits>;
  /** Names that it answers to, besides addresses and localhost. */
  readonly allowHost?: readonly string[];
  /** Addresses and networks that speak for others. */
  readonly trustedProxies?: readonly string[];
}

/** What stands between a port and everything behind it. */
export class Door {
  readonly metrics: DoorMetrics;
  readonly #limits: DoorLimits;
  readonly #options: DoorOptions;
  readonly #addresses: ClientAddresses;
  readonly #hosts: Hosts;
  readonly #watch = new Watch();
  readonly #turns = new Turns();
  readonly #received: ReceiveBudget;
  readonly #inflated: ReceiveBudget;
  #port: OnePort | undefined;

  /** @throws FleetflameError invalid_input for names and addresses that are none */
  constructor(options: DoorOptions) {
    const limits = { ...DOOR_LIMITS, ...options.limits };
    this.#limits = limits;
    this.#options = options;
    this.#addresses = new ClientAddresses(options.trustedProxies ?? []);
    this.#hosts = new Hosts(options.allowHost ?? []);
    this.#received = new ReceiveBudget({ bytes: limits.receivingBytes, limits, reason: 'receivingBytes' });
    this.#inflated = new ReceiveBudget({ bytes: limits.inflatedBytes, limits, reason: 'inflatedBytes' });
    this.metrics = new DoorMetrics(options.registry, () => ({
      connections: this.#port?.connections.open ?? 0,
      idleConnections: this.#port?.connections.idle ?? 0,
      receivingBytes: this.#received.held,
      inflatedBytes: this.#inflated.held,
      waiting: this.#received.waiting + this.#inflated.waiting,
    }));
  }

  /** RPCs, by `routes`; everything else goes to `next`. */
  rpc(
    routes: (router: ConnectRouter) => void,
    router: ConnectRouterOptions,
    ingestLimits: Partial<IngestLimits>,
    next: DoorHandler,
  ): DoorHandler {
    return rpcDoor(
      {
        routes,
        router,
        limits: this.#limits,
        ingestLimits,
        received: this.#received,
        inflated: this.#inflated,
        watch: this.#watch,
        turns: this.#turns,
        isLoopback: isLoopback(this.#options.host),
      },
      next,
    );
  }

  /** The port that leads to the handler. */
  open(handler: DoorHandler): OnePort {
    const guarded = guard(handler, {
      hosts: this.#hosts,
      addresses: this.#addresses,
      limits: this.#limits,
      metrics: this.metrics,
      log: new RareLog(this.#options.log),
      watch: this.#watch,
    });
    this.#port = new OnePort(guarded, {
      limits: this.#limits,
      addresses: this.#addresses,
      metrics: this.metrics,
    });
    return this.#port;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
