import { FILTER_KINDS, type FilterKind, filterProblem, type FilterRule } from '@fleetflame/bpf';
import { FleetflameError } from '@fleetflame/profile';

/**
 * A rule of its text, such as `exe:/usr/bin/*`. `where` begins the message of an error: `--skip` or
 * `/etc/fleetflame/filter:3`.
 * @throws FleetflameError invalid_input
 */
export function parseFilterRule(action: FilterRule['action'], text: string, where: string): FilterRule {
  const colon = text.indexOf(':');
  const kind = text.slice(0, Math.max(0, colon));
  if (!isKind(kind)) {
    throw refused(
      where,
      text,
      `a rule is one of ${FILTER_KINDS.join(', ')} with ":" and a pattern, such as ${action} exe:/usr/bin/*`,
    );
  }
  const rule = { action, kind, pattern: text.slice(colon + 1) };
  const problem = filterProblem(rule);
  if (problem !== '') throw refused(where, text, problem);
  return rule;
}

export function refused(where: string, text: string, problem: string): FleetflameError {
  return new FleetflameError('invalid_input', `${where}: "${text}": ${problem}.`, { field: where });
}

function isKind(text: string): text is FilterKind {
  return FILTER_KINDS.some((kind) => kind === text);
}
