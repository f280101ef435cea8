import type { SpoolKey } from '../spool/spool-file.ts';
import { newAgentId } from './agent-id.ts';

/**
 * Under which numbers batches go out: an id of this start and a counter. Numbers are claims, and an id that was
 * read somewhere, or a copy of this machine, may have used them up: then this agent goes on under a fresh id.
 */
export class AgentIdentity {
  /** Times that an id was given up. */
  renewals = 0;
  #agentId: string;
  #seq = 0n;

  constructor(agentId: string) {
    this.#agentId = agentId;
  }

  get agentId(): string {
    return this.#agentId;
  }

  nextKey(): SpoolKey {
    return { agentId: this.#agentId, seq: this.#seq++ };
  }

  /** Gives an id up whose numbers others use; one that was given up before, or is of a former start, changes nothing. */
  renew(agentId: string, nowMs: number): void {
    if (agentId !== this.#agentId) return;
    this.#agentId = newAgentId(nowMs);
    this.#seq = 0n;
    this.renewals++;
  }
}
