import type { FilterRule } from '@fleetflame/bpf';
import { parseFilterRule, refused } from './parse-filter-rule.ts';

/**
 * The rules of a filter file, one per line; `#` at the beginning of a line makes it a comment:
 *
 *   # everything but the backup, and of the batch jobs only one
 *   skip exe:/usr/bin/restic
 *   only cgroup:/system.slice
 *
 * @throws FleetflameError invalid_input that names the file, the line and the rule
 */
export function parseFilterFile(text: string, path: string): FilterRule[] {
  const rules: FilterRule[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const rule = line.trim();
    if (rule === '' || rule.startsWith('#')) continue;
    const where = `${path}:${index + 1}`;
    const [, action, pattern] = /^(only|skip)\s+(.*)$/.exec(rule) ?? [];
    if ((action !== 'only' && action !== 'skip') || pattern === undefined) {
      throw refused(where, rule, 'a line begins with "only " or "skip ", such as skip exe:/usr/bin/restic');
    }
    rules.push(parseFilterRule(action, pattern, where));
  }
  return rules;
}
