import { matchesKey } from './keys.ts';

/**
 * Everything that a key can do. Buttons call commands, keys call commands, and the sheet behind `?`
 * is printed from them, so none of the three can forget the others.
 */
export const COMMAND_GROUPS = ['Search', 'Flame graph', 'Time', 'View', 'Page'] as const;
export type CommandGroup = (typeof COMMAND_GROUPS)[number];

export interface Command {
  readonly id: string;
  readonly title: string;
  readonly group: CommandGroup;
  readonly keys: readonly string[];
  /** flame: only while the flame graph, or nothing, has the keyboard. */
  readonly scope: 'page' | 'flame';
  /** Also while the user types in a field. */
  readonly inFields?: boolean;
  /** Returns false when there was nothing to do: the next command with that key gets its turn. */
  readonly run: () => boolean | void;
}

/** The first command that takes the event; undefined when none does. */
export function dispatchKey(commands: readonly Command[], event: KeyboardEvent): Command | undefined {
  if (event.defaultPrevented || event.isComposing) return undefined;
  const place = placeOf(event.target);
  for (const command of commands) {
    if (place === 'field' && command.inFields !== true) continue;
    if (place === 'widget' && command.keys.some((key) => isWidgetKey(key)) && command.inFields !== true)
      continue;
    if (command.scope === 'flame' && place !== 'flame' && place !== 'page') continue;
    if (!command.keys.some((key) => matchesKey(key, event))) continue;
    if (command.run() === false) continue;
    event.preventDefault();
    return command;
  }
  return undefined;
}

/** Keys that a focused button, table or menu needs for itself. */
function isWidgetKey(key: string): boolean {
  return key === 'Enter' || key === ' ' || key.startsWith('Arrow');
}

type Place = 'field' | 'flame' | 'widget' | 'page';

function placeOf(target: EventTarget | null): Place {
  if (!(target instanceof HTMLElement) || target === target.ownerDocument.body) return 'page';
  if (
    target.isContentEditable ||
    target.matches('input:not([type=checkbox]):not([type=radio]), textarea, select')
  ) {
    return 'field';
  }
  if (target.closest('[data-keys="flame"]') !== null) return 'flame';
  if (target.closest('[role="dialog"]') !== null) return 'field';
  return 'widget';
}
