import type { AgentStats } from './agent-stats.ts';

/** A window that is late may be a busy host; three are an agent that does not sample. */
export const STALLED_WINDOWS = 3;

/** Why an agent that runs does not do its work; undefined: it does. */
export function stalledReason(stats: Pick<AgentStats, 'windowMs' | 'lastWindowAgeMs'>): string | undefined {
  if (stats.lastWindowAgeMs <= stats.windowMs * STALLED_WINDOWS) return undefined;
  return (
    `no window was closed for ${Math.round(stats.lastWindowAgeMs / 1000)} s, and one has ` +
    `${Math.round(stats.windowMs / 1000)} s: nothing is sampled; the log of the agent says more`
  );
}
