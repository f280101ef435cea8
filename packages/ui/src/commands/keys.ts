/**
 * Key strings: "?", "Escape", "Mod+k", "Shift+n"... Letters of the WASD block are matched by their place on
 * the keyboard ("code:KeyW"), so they work on every layout; all others by what they type.
 */
export function matchesKey(key: string, event: KeyboardEvent): boolean {
  const parts = key.split('+');
  const last = parts.at(-1) === '' ? '+' : (parts.at(-1) ?? '');
  const wantsMod = parts.includes('Mod');
  if (wantsMod !== (event.ctrlKey || event.metaKey) || event.altKey) return false;
  if (last.startsWith('code:')) return event.code === last.slice('code:'.length) && !event.shiftKey;
  if (parts.includes('Shift')) return event.shiftKey && event.key.toLowerCase() === last.toLowerCase();
  // What a key types already says whether Shift is down, but for letters and named keys.
  if (event.shiftKey && (last.length > 1 || /^[a-z]$/u.test(last))) return false;
  return event.key === last;
}

const WORDS: Readonly<Record<string, string>> = {
  Escape: 'Esc',
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  Backspace: '⌫',
  Enter: '↵',
  ' ': 'Space',
};

/** The caps to print for a key string. */
export function keyCaps(key: string): readonly string[] {
  if (key === '+') return ['+'];
  return key.split('+').map((part) => {
    if (part === 'Mod') return /Mac/u.test(navigator.platform) ? '⌘' : 'Ctrl';
    if (part.startsWith('code:Key')) return part.slice('code:Key'.length);
    return WORDS[part] ?? (part.length === 1 ? part : part);
  });
}
