/**
 * Compares what queries return with what was acked, per minute, host and service, to the last integer.
 * Of a batch whose agent never got an answer, all must be there once, or nothing.
 */
import { createClient, type Client } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { QueryService, type Coverage } from '@fleetflame/proto/query/v1/query';
import type { Ledger, UnknownBatch } from './ledger.ts';
import type { SimulatedFleet } from './simulated-fleet.ts';

const MINUTE_MS = 60_000;
/** Groups that one answer has at most. */
const MAX_HOSTS = 1000;
/** Subsets of the unknown batches of one host that are tried: 2 to this. */
const MAX_UNKNOWN = 16;
/** Mismatches that are kept as text. */
const SHOWN = 20;

export interface SumCheck {
  /** Compared (minute, host, service). */
  readonly cells: number;
  readonly mismatches: number;
  /** The first few, for people. */
  readonly examples: readonly string[];
  /** Batches without an ack that are there, and that are not. */
  readonly unknownPresent: number;
  readonly unknownAbsent: number;
  /** Blocks that queries could not read. */
  readonly missingBlocks: number;
}

export async function checkSums(fleet: SimulatedFleet, ledger: Ledger, queryUrl: string): Promise<SumCheck> {
  if (fleet.shape.hosts > MAX_HOSTS)
    throw new Error(`a fleet of more than ${MAX_HOSTS} hosts cannot be checked by host`);
  const client = createClient(
    QueryService,
    createConnectTransport({
      baseUrl: queryUrl,
      httpVersion: '1.1',
      acceptCompression: [],
      defaultTimeoutMs: 120_000,
    }),
  );
  const check = new Check(fleet, ledger);
  for (const [service, name] of fleet.services.entries()) await check.read(client, service, name);
  return check.result();
}

/** Found values of one host, by minute and service. */
type Found = Map<string, number>;

class Check {
  readonly #fleet: SimulatedFleet;
  readonly #ledger: Ledger;
  readonly #minutes: readonly number[];
  readonly #found: readonly Found[];
  readonly #hosts: ReadonlyMap<string, number>;
  readonly #examples: string[] = [];
  #mismatches = 0;
  #missingBlocks = 0;

  constructor(fleet: SimulatedFleet, ledger: Ledger) {
    this.#fleet = fleet;
    this.#ledger = ledger;
    this.#minutes = ledger.minutes;
    this.#found = Array.from({ length: fleet.shape.hosts }, () => new Map());
    this.#hosts = new Map(this.#found.map((_, host) => [fleet.hostName(host), host]));
  }

  async read(client: Client<typeof QueryService>, service: number, name: string): Promise<void> {
    const first = this.#minutes[0] ?? 0;
    const last = this.#minutes.at(-1) ?? 0;
    const answer = await client.series({
      scope: {
        fromMs: BigInt(first),
        toMs: BigInt(last + MINUTE_MS),
        selector: `{service_name=${JSON.stringify(name)}}`,
        profileType: 'cpu',
      },
      stepMs: BigInt(MINUTE_MS),
      groupBy: ['host_name'],
    });
    this.#noteCoverage(answer.coverage);
    for (const group of answer.groups) {
      const host = this.#hosts.get(group.labels['host_name'] ?? '');
      for (const [step, value] of group.values.entries()) {
        if (value === 0n) continue;
        if (host === undefined) this.#mismatch(`${name}: ${value} on a host that is not of the fleet`);
        else this.#found[host]?.set(cellOf(Number(answer.timesMs[step]), service), Number(value));
      }
    }
  }

  result(): SumCheck {
    const { roles, hosts } = this.#fleet.shape;
    const { servicesPerRole } = this.#fleet;
    let unknownPresent = 0;
    let unknownAbsent = 0;
    for (let host = 0; host < hosts; host++) {
      const excess = new Map(this.#found[host]);
      const first = (host % roles) * servicesPerRole;
      for (const minuteMs of this.#minutes) {
        for (let service = first; service < first + servicesPerRole; service++) {
          const acked = this.#ledger.value(minuteMs, host, service);
          const cell = cellOf(minuteMs, service);
          const more = (excess.get(cell) ?? 0) - acked;
          if (more === 0) excess.delete(cell);
          else excess.set(cell, more);
        }
      }
      const unknown = this.#ledger.unknownOf(host);
      const present = explain(excess, unknown);
      if (present === undefined) {
        for (const [cell, value] of excess)
          this.#mismatch(`${this.#fleet.hostName(host)} ${cell}: ${value} off`);
      } else {
        unknownPresent += present;
        unknownAbsent += unknown.length - present;
      }
    }
    return {
      cells: this.#minutes.length * hosts * servicesPerRole,
      mismatches: this.#mismatches,
      examples: this.#examples,
      unknownPresent,
      unknownAbsent,
      missingBlocks: this.#missingBlocks,
    };
  }

  #noteCoverage(coverage: Coverage | undefined): void {
    if (coverage === undefined) return;
    const missing = coverage.blocksExpected - coverage.blocksAnswered;
    this.#missingBlocks = Math.max(this.#missingBlocks, missing);
  }

  #mismatch(text: string): void {
    this.#mismatches++;
    if (this.#examples.length < SHOWN) this.#examples.push(text);
  }
}

/** How many of the unknown batches explain the excess exactly; undefined: no choice of them does. */
function explain(excess: Found, unknown: readonly UnknownBatch[]): number | undefined {
  if (unknown.length > MAX_UNKNOWN) throw new Error(`a host has ${unknown.length} batches without an ack`);
  for (let chosen = 0; chosen < 2 ** unknown.length; chosen++) {
    const left = new Map(excess);
    let count = 0;
    for (const [i, batch] of unknown.entries()) {
      if ((chosen & (1 << i)) === 0) continue;
      count++;
      for (const { minuteMs, service, value } of batch.sums) {
        const cell = cellOf(minuteMs, service);
        const rest = (left.get(cell) ?? 0) - value;
        if (rest === 0) left.delete(cell);
        else left.set(cell, rest);
      }
    }
    if (left.size === 0) return count;
  }
  return undefined;
}

function cellOf(minuteMs: number, service: number): string {
  return `${new Date(minuteMs).toISOString()} service ${service}`;
}
