import type { Config, EffectiveSetting } from './config.ts';
import { splitList } from './setting.ts';

const HIDDEN = '(hidden)';

/** The settings in force as a config file, each with where it comes from; secrets are not in it. */
export function formatConfig(config: Config): string {
  const lines = [`# fleetflame ${config.role}: the settings in force`];
  let open: readonly string[] = [];
  for (const effective of config.all) {
    if (!effective.setting.roles.includes(config.role)) continue;
    const { setting } = effective;
    const text = shownText(effective);
    if (text === undefined) {
      lines.push(`# ${effective.key}: not set`);
      continue;
    }
    const path = effective.key.split('.');
    const groups = path.slice(0, -1);
    const changed = groups.findIndex((group, depth) => open[depth] !== group);
    const from = changed === -1 ? groups.length : changed;
    for (let depth = from; depth < groups.length; depth++) lines.push(`${indent(depth)}${groups[depth]}:`);
    open = groups;
    lines.push(
      `${indent(groups.length)}${path.at(-1)}: ${setting.kind.type === 'list' ? text : scalar(text)} # ${effective.source}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** What YAML takes as it is stays so; the rest in JSON's quotes, which are YAML's too. */
function scalar(value: string | number | boolean): string {
  return typeof value === 'string' && !/^[\w/][\w./:@%+=?&-]*\w$|^\w$/.test(value)
    ? JSON.stringify(value)
    : String(value);
}

function indent(depth: number): string {
  return '  '.repeat(depth);
}

function shownText({ setting, text }: EffectiveSetting): string | number | boolean | undefined {
  if (text === undefined) return undefined;
  if (setting.kind.type === 'list') return JSON.stringify(splitList(text));
  if (setting.secret === 'all') return HIDDEN;
  if (setting.secret === 'url') return hidePassword(text);
  if (setting.kind.type === 'count' || setting.kind.type === 'number') return Number(text);
  return setting.kind.type === 'switch' ? text === 'true' : text;
}

function hidePassword(text: string): string {
  // What is no URL may hold a secret in any place.
  if (text.startsWith('sqlite:')) return text;
  if (!URL.canParse(text)) return HIDDEN;
  const url = new URL(text);
  if (url.password !== '') url.password = 'hidden';
  if (url.searchParams.has('password')) url.searchParams.set('password', 'hidden');
  return url.href;
}
