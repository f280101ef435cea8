import { useEffect, useMemo, useRef, type RefObject } from 'react';
import { dispatchKey, type Command } from '../commands/registry.ts';
import type { FlameSurface } from '../flame/flame-surface.ts';
import { shiftWindow } from '../time/range.ts';
import { LAYOUTS, type ViewState } from '../url/view-state.ts';
import { copyLink } from './copy-link.ts';
import { usePage, type Page } from './page-context.ts';
import { sheetCommands } from './shortcut-sheet.tsx';

/** Binds all commands to the keyboard and hands them to the sheet. */
export function usePageCommands(cycle: (step: 1 | -1) => boolean): void {
  const page = usePage();
  const trail = useFocusTrail(page);
  const commands = useMemo(
    () => [...searchCommands(page, cycle), ...flameCommands(page, trail), ...pageCommands(page)],
    [page, cycle, trail],
  );
  useEffect(() => {
    sheetCommands.set(commands);
    const onKeyDown = (event: KeyboardEvent): void => void dispatchKey(commands, event);
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [commands]);
}

/** Where the focus has been, for Esc. Undoing the last step is not a step. */
function useFocusTrail(page: Page): RefObject<(readonly string[])[]> {
  const trail = useRef<(readonly string[])[]>([]);
  useEffect(() => {
    const { view } = page.session.url;
    let last = view.get().focus;
    return view.subscribe(() => {
      const { focus } = view.get();
      if (focus === last) return;
      if (trail.current.at(-1) === focus) trail.current.pop();
      else if (focus.length === 0) trail.current = [];
      else trail.current.push(last);
      last = focus;
    });
  }, [page]);
  return trail;
}

function focusField(id: string): void {
  const field = document.querySelector<HTMLInputElement>(`#${id}`);
  field?.focus();
  field?.select();
}

function searchCommands(page: Page, cycle: (step: 1 | -1) => boolean): Command[] {
  const { session } = page;
  return [
    {
      id: 'search',
      title: 'Search functions',
      group: 'Search',
      keys: ['/'],
      scope: 'page',
      run: () => focusField('search-input'),
    },
    {
      id: 'next-match',
      title: 'Next match',
      group: 'Search',
      keys: ['n'],
      scope: 'page',
      run: () => cycle(1),
    },
    {
      id: 'previous-match',
      title: 'Previous match',
      group: 'Search',
      keys: ['Shift+n'],
      scope: 'page',
      run: () => cycle(-1),
    },
    {
      id: 'selector',
      title: 'Edit the selector',
      group: 'Search',
      keys: ['Mod+k', 'q'],
      scope: 'page',
      run: () => focusField('selector-input'),
    },
    {
      id: 'clear-selection',
      title: 'Clear search and selection',
      group: 'Search',
      keys: ['x'],
      scope: 'page',
      run: () => session.setView({ search: '', selected: '' }, 'replace'),
    },
  ];
}

function flameCommands(page: Page, trail: RefObject<(readonly string[])[]>): Command[] {
  const { session, toast } = page;
  const command = (
    id: string,
    title: string,
    keys: readonly string[],
    run: (surface: FlameSurface) => boolean | void,
  ): Command => ({
    id,
    title,
    group: 'Flame graph',
    keys,
    scope: 'flame',
    run: () => {
      const surface = page.surface.get();
      return surface === undefined ? false : run(surface);
    },
  });
  const isIcicle = (): boolean => session.url.view.get().direction === 'icicle';
  const focusOf = (): readonly string[] => session.url.view.get().focus;
  return [
    command('down', 'Move down: callee (caller when flipped)', ['ArrowDown'], (s) =>
      s.moveCursor(isIcicle() ? 'child' : 'parent'),
    ),
    command('up', 'Move up: caller (callee when flipped)', ['ArrowUp'], (s) =>
      s.moveCursor(isIcicle() ? 'parent' : 'child'),
    ),
    command('left', 'Previous sibling', ['ArrowLeft'], (s) => s.moveCursor('previous')),
    command('right', 'Next sibling', ['ArrowRight'], (s) => s.moveCursor('next')),
    command('first', 'Go to the root', ['Home'], (s) => s.moveCursor('first')),
    command('last', 'Follow the hottest path down', ['End'], (s) => s.moveCursor('last')),
    command('focus', 'Focus the box', ['Enter'], (s) => s.activateCursor()),
    command('back', 'Back one: tooltip, zoom, focus', ['Escape'], (s) => {
      if (s.releaseTooltip() || s.resetZoom()) return true;
      if (focusOf().length > 0) {
        session.setView({ focus: trail.current.at(-1) ?? [] }, 'push');
        return true;
      }
      return s.clearCursor();
    }),
    command('out', 'Focus the caller', ['Backspace'], () => {
      if (focusOf().length === 0) return false;
      session.setView({ focus: focusOf().slice(0, -1) }, 'push');
      return true;
    }),
    command('zoom-in', 'Zoom in', ['code:KeyW', '+', '='], (s) => s.zoom(1.6)),
    command('zoom-out', 'Zoom out', ['code:KeyS', '-'], (s) => s.zoom(1 / 1.6)),
    command('pan-left', 'Pan left', ['code:KeyA'], (s) => s.pan(-0.2, 0)),
    command('pan-right', 'Pan right', ['code:KeyD'], (s) => s.pan(0.2, 0)),
    command('zoom-reset', 'Reset the zoom', ['0'], (s) => s.resetZoom()),
    command('pin', 'Pin or release the tooltip', [' '], (s) => s.toggleTooltipPin()),
    command('copy', 'Copy the function’s name', ['Mod+c'], (s) => {
      const name = s.currentName();
      if (name === undefined || window.getSelection()?.isCollapsed === false) return false;
      void navigator.clipboard.writeText(name).then(
        () => toast.set(`Copied “${name}”.`),
        () => toast.set('The browser did not allow copying.'),
      );
      return true;
    }),
  ];
}

function pageCommands(page: Page): Command[] {
  const { session, theme } = page;
  const view = (): ViewState => session.url.view.get();
  const shift = (share: number): void =>
    session.setView({ range: shiftWindow(session.window.get(), share, Date.now()) }, 'push');
  return [
    {
      id: 'earlier',
      title: 'Earlier by half the range',
      group: 'Time',
      keys: ['['],
      scope: 'page',
      run: () => shift(-0.5),
    },
    {
      id: 'later',
      title: 'Later by half the range',
      group: 'Time',
      keys: [']'],
      scope: 'page',
      run: () => shift(0.5),
    },
    {
      id: 'live',
      title: 'Pause live data, or go on',
      group: 'Time',
      keys: ['Shift+l', 'l'],
      scope: 'page',
      run: () => {
        if (view().range.kind === 'last') session.setPaused(!session.isPaused.get());
        else session.setView({ range: { kind: 'last', lastMs: 900_000 } }, 'push');
      },
    },
    {
      id: 'refresh',
      title: 'Ask again now',
      group: 'Time',
      keys: ['r'],
      scope: 'page',
      run: () => void session.refresh(),
    },
    {
      id: 'flip',
      title: 'Root at the top or at the bottom',
      group: 'View',
      keys: ['i'],
      scope: 'page',
      run: () =>
        session.setView({ direction: view().direction === 'icicle' ? 'flame' : 'icicle' }, 'replace'),
    },
    {
      id: 'layout',
      title: 'Next layout: split, flame graph, table, binaries',
      group: 'View',
      keys: ['t'],
      scope: 'page',
      run: () => {
        const next = LAYOUTS[(LAYOUTS.indexOf(view().layout) + 1) % LAYOUTS.length];
        session.setView({ layout: next ?? 'split' }, 'push');
      },
    },
    {
      id: 'theme',
      title: 'Next theme',
      group: 'View',
      keys: ['Shift+t'],
      scope: 'page',
      run: () => theme.cycle(),
    },
    {
      id: 'copy-link',
      title: 'Copy a link to this view',
      group: 'Page',
      keys: ['y'],
      scope: 'page',
      run: () => void copyLink(page, 'live'),
    },
    {
      id: 'help',
      title: 'Show the keys',
      group: 'Page',
      keys: ['?'],
      scope: 'page',
      run: () => document.querySelector<HTMLButtonElement>('[data-testid="shortcuts"]')?.click(),
    },
  ];
}
