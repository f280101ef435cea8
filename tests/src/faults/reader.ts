/**
 * Asks for the sum of everything while things go wrong: each whole answer holds at least what had been
 * acked before it was asked for, and nothing that had not been sent when it came.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Ledger } from '@fleetflame/bench/fleet';
import type { ClusterProcess } from '../support/cluster.ts';
import { CPU } from './load.ts';

/** Between two questions: the reader should see states, not make the load. */
const PAUSE_MS = 200;
const PROBLEMS = 5;
/** What a client may be told while something is down; anything else is a mistake. */
const PASSING: readonly Code[] = [
  Code.Unavailable,
  Code.Aborted,
  Code.Canceled,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
];

export interface ReadResult {
  readonly answers: number;
  readonly refused: number;
  /** Answers that said that blocks were missing. */
  readonly partial: number;
  readonly problems: readonly string[];
}

export class Reader {
  readonly #queries: readonly ClusterProcess[];
  readonly #ledger: Ledger;
  readonly #range: { readonly fromMs: number; readonly toMs: number };
  readonly #problems: string[] = [];
  #answers = 0;
  #refused = 0;
  #partial = 0;

  constructor(
    queries: readonly ClusterProcess[],
    ledger: Ledger,
    range: { readonly fromMs: number; readonly toMs: number },
  ) {
    this.#queries = queries;
    this.#ledger = ledger;
    this.#range = range;
  }

  /** Each query process is asked by itself: one that stands still does not hold up the other. */
  async run(stopped: () => boolean): Promise<ReadResult> {
    await Promise.all(
      this.#queries.map(async (query, number) => {
        while (!stopped()) {
          await this.#ask(query, number);
          await sleep(PAUSE_MS);
        }
      }),
    );
    return {
      answers: this.#answers,
      refused: this.#refused,
      partial: this.#partial,
      problems: this.#problems,
    };
  }

  /** When all is well again: what is wrong with the sum of everything. */
  async compareAll(unknownPresent: number): Promise<readonly string[]> {
    const { total: acked, sent } = this.#ledger;
    const problems: string[] = [];
    for (const [number, query] of this.#queries.entries()) {
      const { total, whole } = await this.#sum(query);
      const isRight = unknownPresent === 0 ? total === acked : total > acked && total <= sent;
      if (!whole || !isRight)
        problems.push(`query ${number} returns ${total} of everything, ${acked} was acked, ${sent} sent`);
    }
    return problems;
  }

  async #sum({ query }: ClusterProcess): Promise<{ readonly total: number; readonly whole: boolean }> {
    const { fromMs, toMs } = this.#range;
    const answer = await query.top({
      scope: { fromMs: BigInt(fromMs), toMs: BigInt(toMs), selector: '', profileType: CPU },
      limit: 1,
    });
    const { coverage } = answer;
    return {
      total: Number(answer.total),
      whole: coverage !== undefined && coverage.missing.length === 0,
    };
  }

  async #ask(query: ClusterProcess, number: number): Promise<void> {
    const acked = this.#ledger.total;
    try {
      const { total, whole } = await this.#sum(query);
      if (whole) this.#answers++;
      else this.#partial++;
      if (whole && total < acked) this.#problem(`query ${number} returned ${total} when ${acked} was acked`);
      if (total > this.#ledger.sent)
        this.#problem(`query ${number} returned ${total} when only ${this.#ledger.sent} had been sent`);
    } catch (error) {
      const { code, message, cause } = ConnectError.from(error);
      // Written to a connection that the server had closed when it was idle: the client calls that internal.
      const isHungUp = cause instanceof Error && 'code' in cause && cause.code === 'EPIPE';
      if (isHungUp || PASSING.includes(code)) this.#refused++;
      else this.#problem(`query ${number} failed: ${message}`);
    }
  }

  #problem(text: string): void {
    if (this.#problems.length < PROBLEMS) this.#problems.push(text);
  }
}
