/**
 * Who is connected, and who has to go when there is no room.
 *
 *   0 ──────────────────── 3/4 ─────────── connections ── + healthConnections
 *   idle ones stay          the longest idle    only /healthz, /readyz and
 *   as long as they like    go, one for each    /metrics are answered
 *                           that comes
 *
 * An address that has its share already makes room among its own idle ones, and is the last to get any.
 */
import type { Socket } from 'node:net';
import type { ClientAddresses } from './client-address.ts';
import type { DoorMetrics } from './door-metrics.ts';
import type { DoorLimits } from './limits.ts';

/** A connection for a question of health that has not asked within this goes for the next. */
const HEALTH_IDLE_MS = 250;

export interface Connection {
  readonly socket: Socket;
  /** Whose share it counts against; undefined: a trusted proxy's. */
  readonly owner: string | undefined;
  /** There was no room for it: it is answered whether the server lives, and nothing else. */
  readonly healthOnly: boolean;
  /** Requests that have no whole answer yet. */
  requests: number;
  /** Since when it has none, ms of performance.now(). */
  idleSince: number;
  /** Ends it so that its client knows, where the protocol has a way. */
  end: () => void;
}

interface Owner {
  connections: number;
  /** Longest idle first. */
  readonly idle: Set<Connection>;
}

export class ConnectionTable {
  readonly #limits: DoorLimits;
  readonly #metrics: DoorMetrics | undefined;
  readonly #addresses: ClientAddresses;
  readonly #all = new Set<Connection>();
  /** Longest idle first; those for health apart. */
  readonly #idle = new Set<Connection>();
  readonly #idleHealth = new Set<Connection>();
  readonly #owners = new Map<string, Owner>();
  #healthOnly = 0;

  constructor(limits: DoorLimits, addresses: ClientAddresses, metrics?: DoorMetrics) {
    this.#limits = limits;
    this.#addresses = addresses;
    this.#metrics = metrics;
  }

  get size(): number {
    return this.#all.size;
  }

  get idle(): number {
    return this.#idle.size + this.#idleHealth.size;
  }

  /** All of them, for a stop. */
  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#all.values();
  }

  /** Takes a new connection in; undefined: there is no room even for a question of health. */
  add(socket: Socket): Connection | undefined {
    const { connections, addressShare, idleAboveShare, healthConnections } = this.#limits;
    const name = this.#addresses.ofConnection(socket.remoteAddress);
    const owner = name === undefined ? undefined : this.#ownerOf(name);
    const share = Math.max(1, Math.floor(connections * addressShare));
    const isOver =
      owner !== undefined &&
      owner.connections >= share &&
      !this.#makeRoom(owner.idle, this.#limits.idleAtLeastMs);
    const taken = this.#all.size - this.#healthOnly;
    // One goes for each that comes.
    if (!isOver && taken >= connections * idleAboveShare)
      this.#makeRoom(this.#idle, this.#limits.idleAtLeastMs);
    const isFull = this.#all.size - this.#healthOnly >= connections;
    const healthOnly = isOver || isFull;
    if (healthOnly) {
      this.#metrics?.refuse(isOver ? 'addressShare' : 'connections');
      // Who asks about health asks at once: nobody may sit there.
      const isTaken = this.#healthOnly >= healthConnections;
      if (isTaken && !this.#makeRoom(this.#idleHealth, HEALTH_IDLE_MS)) {
        this.#drop(name);
        return undefined;
      }
      this.#healthOnly++;
    }
    const connection: Connection = {
      socket,
      owner: name,
      healthOnly,
      requests: 0,
      idleSince: 0,
      end: () => socket.destroy(),
    };
    this.#all.add(connection);
    if (owner !== undefined && !healthOnly) owner.connections++;
    this.#markIdle(connection);
    return connection;
  }

  /** A request has come, or its answer has gone. */
  count(connection: Connection, change: 1 | -1): void {
    if (!this.#all.has(connection)) return;
    const wasIdle = connection.requests === 0;
    connection.requests = Math.max(0, connection.requests + change);
    if (connection.requests === 0) this.#markIdle(connection);
    else if (wasIdle) this.#markBusy(connection);
  }

  remove(connection: Connection): void {
    if (!this.#all.delete(connection)) return;
    this.#markBusy(connection);
    if (connection.healthOnly) this.#healthOnly--;
    else if (connection.owner !== undefined) this.#ownerOf(connection.owner).connections--;
    this.#drop(connection.owner);
  }

  /** Ends the longest idle one; false: none of them is idle. */
  #makeRoom(among: ReadonlySet<Connection>, idleMs: number): boolean {
    const latest = performance.now() - idleMs;
    for (const connection of among) {
      if (connection.idleSince > latest) return false;
      this.#metrics?.cut.inc({ reason: 'idle' });
      this.remove(connection);
      connection.end();
      return true;
    }
    return false;
  }

  #markIdle(connection: Connection): void {
    this.#markBusy(connection);
    connection.idleSince = performance.now();
    if (connection.healthOnly) {
      this.#idleHealth.add(connection);
      return;
    }
    this.#idle.add(connection);
    if (connection.owner !== undefined) this.#ownerOf(connection.owner).idle.add(connection);
  }

  #markBusy(connection: Connection): void {
    this.#idle.delete(connection);
    this.#idleHealth.delete(connection);
    if (connection.owner !== undefined) this.#owners.get(connection.owner)?.idle.delete(connection);
  }

  #ownerOf(name: string): Owner {
    const known = this.#owners.get(name);
    if (known !== undefined) return known;
    const owner = { connections: 0, idle: new Set<Connection>() };
    this.#owners.set(name, owner);
    return owner;
  }

  /** Nobody is remembered who has nothing open. */
  #drop(name: string | undefined): void {
    const owner = name === undefined ? undefined : this.#owners.get(name);
    if (name !== undefined && owner !== undefined && owner.connections === 0 && owner.idle.size === 0)
      this.#owners.delete(name);
  }
}
