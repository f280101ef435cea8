import { type Block, encodeBlock, lossKind } from '@fleetflame/profile';
import type { Logger } from 'pino';
import type { Losses } from './losses.ts';
import type { AgentIdentity } from './send/agent-identity.ts';
import type { Spool } from './spool/spool.ts';
import type { Window } from './window/window.ts';

/** Batches waiting for the disk; a disk that is slower than this many windows loses them. */
const MAX_QUEUED = 6;

/** Turns closed windows into batches in the spool, one after the other. */
export class BatchWriter {
  windows = 0;
  readonly #spool: Spool;
  readonly #identity: AgentIdentity;
  readonly #losses: Losses;
  readonly #log: Logger;
  readonly #onSpooled: () => void;
  #queued = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly spool: Spool;
    readonly identity: AgentIdentity;
    readonly losses: Losses;
    readonly log: Logger;
    readonly onSpooled: () => void;
  }) {
    this.#spool = options.spool;
    this.#identity = options.identity;
    this.#losses = options.losses;
    this.#log = options.log;
    this.#onSpooled = options.onSpooled;
  }

  /** Builds and encodes at once, writes when the batch before it is written. */
  write(window: Pick<Window, 'samples' | 'shortened' | 'loss' | 'build'>): void {
    // Losses without a sample wait for a window that has one.
    if (window.samples === 0) return;
    this.windows++;
    if (this.#queued >= MAX_QUEUED) {
      this.#losses.add('spool_failed', window.samples);
      this.#log.error({ queued: this.#queued }, 'the spool is too slow: a batch is dropped');
      return;
    }
    for (const [cause, samples] of window.shortened()) this.#losses.add(cause, samples);
    // Lost with the batch, should it be lost: its samples, and those of whose loss only it would have told.
    let atStake = window.samples;
    for (const [cause, samples] of this.#losses.take()) {
      window.loss(cause, samples);
      if (lossKind(cause) === 'lost') atStake += samples;
    }
    const block: Block = window.build();
    const payload = encodeBlock(block);
    this.#queued++;
    this.#last = this.#last.then(() => this.#put(atStake, block.timeStartMs, payload));
  }

  async settled(): Promise<void> {
    await this.#last;
  }

  async #put(samples: number, createdMs: number, payload: Uint8Array): Promise<void> {
    const key = this.#identity.nextKey();
    try {
      await this.#spool.put(key, { samples, createdMs, payload });
      this.#log.debug({ seq: Number(key.seq), samples, bytes: payload.length }, 'batch spooled');
    } catch (error) {
      this.#losses.add('spool_failed', samples);
      this.#log.error({ err: error, samples }, 'a batch cannot be written to the spool and is lost');
    } finally {
      this.#queued--;
    }
    this.#onSpooled();
  }
}
