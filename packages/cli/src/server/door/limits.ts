/**
 * What anybody who reaches the port may hold of a server (I8). What a limit turns away is counted in
 * fleetflame_door_refused_total{limit="..."}, under the names used here.
 */
export interface DoorLimits {
  /** Connections at once: a host has one agent and a person a few tabs. */
  readonly connections: number;
  /** What one address (of IPv6: one network of 64 bits) may hold of connections and of bytes being received. */
  readonly addressShare: number;
  /** Idle connections are cut, oldest first, when more than this share of the table is taken: balancers keep theirs for minutes. */
  readonly idleAboveShare: number;
  /** Ms without a request after which a connection may be cut for another: one that has just come has not had its chance. */
  readonly idleAtLeastMs: number;
  /** Connections beyond the table that are answered /healthz, /readyz and /metrics, and nothing else. */
  readonly healthConnections: number;
  /** Ms until the first bytes of a connection, and of HTTP/2 the client's SETTINGS, are there. */
  readonly firstBytesMs: number;
  /** Ms until the headers of a request are there. */
  readonly headersMs: number;
  /** Ms until all of a request is there: a pprof file of 32 MiB over a slow line takes minutes. */
  readonly requestMs: number;
  /** Ms without a byte of a body that is waited for. */
  readonly bodySilentMs: number;
  /** Bytes a second that a body brings on average, after its first `headersMs`. */
  readonly bodyBytesPerSecond: number;
  /** Ms without progress of an answer that its reader does not take. */
  readonly answerStalledMs: number;
  /** Bytes of a request's line and headers. */
  readonly headerBytes: number;
  /** Headers of a request. */
  readonly headers: number;
  /** Requests open at once on one HTTP/2 connection, such as that of a load balancer. */
  readonly streams: number;
  /**
   * Bytes that a stream may have sent before anybody reads them: this times the open streams is memory that strangers
   * hold. With 64 KiB a batch of 100 KiB takes a round trip more.
   */
  readonly streamWindowBytes: number;
  /** Streams that a client of HTTP/2 may reset in a burst, and a second after it; then its connection ends. */
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
  /** Memory of one HTTP/2 connection, bytes: its streams' windows and answers. Beyond it new streams are refused. */
  readonly sessionBytes: number;
  /** Bytes of bodies that are being received or worked on, as sent. */
  readonly receivingBytes: number;
  /** Bytes that compressed bodies have become. */
  readonly inflatedBytes: number;
  /** Bytes of bodies that wait for their turn, at most their window each; beyond it senders are told to come again. */
  readonly waitingBytes: number;
  /** Ms that a body waits for its turn. */
  readonly waitMs: number;
  /** Bytes of a request's message, where its method has no number of its own. */
  readonly messageBytes: number;
  /** Calls of one method that are worked on at once, where the method has no number of its own and no service of its own limits. */
  readonly callsAtOnce: number;
  /** Bytes of a JSON message that carries a file: as text it takes a third more, and ten times as long to read. */
  readonly jsonBytes: number;
  /** Fields of one message, those of messages in it too. */
  readonly messageFields: number;
}

export const DOOR_LIMITS: DoorLimits = {
  connections: 4096,
  addressShare: 0.25,
  idleAboveShare: 0.75,
  idleAtLeastMs: 1000,
  healthConnections: 32,
  firstBytesMs: 10_000,
  headersMs: 20_000,
  requestMs: 300_000,
  bodySilentMs: 10_000,
  bodyBytesPerSecond: 1024,
  answerStalledMs: 60_000,
  headerBytes: 16 << 10,
  headers: 100,
  streams: 1000,
  streamWindowBytes: 128 << 10,
  resetBurst: 250,
  resetsPerSecond: 100,
  sessionBytes: 192 << 20,
  receivingBytes: 64 << 20,
  inflatedBytes: 64 << 20,
  waitingBytes: 64 << 20,
  waitMs: 15_000,
  messageBytes: 64 << 10,
  callsAtOnce: 64,
  jsonBytes: 8 << 20,
  messageFields: 2000,
};
