import type { FlameTheme } from './colour.ts';
import type { FlamePaint } from './renderer.ts';

/** CSS pixels of the labels in boxes. */
const LABEL_FONT_PX = 11.5;

/** The theme as the canvas needs it, from the CSS variables in force at `element`. */
export function readPaint(
  element: HTMLElement,
  theme: 'light' | 'dark',
): { readonly paint: FlamePaint; readonly theme: FlameTheme } {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    paint: {
      background: read('--flame-gap'),
      text: read('--flame-text'),
      textFaded: read('--flame-text-faded'),
      labelBackground: read('--flame-label-bg'),
      labelText: read('--flame-label-text'),
      labelDetail: read('--text-muted'),
      hatch: read('--flame-hatch'),
      hatchBackground: read('--flame-hatch-bg'),
      outline: read('--flame-outline'),
      hover: read('--flame-hover'),
      accent: read('--accent'),
      match: read('--match'),
      fontFamily: read('--font-mono'),
      fontPx: LABEL_FONT_PX,
    },
    theme: {
      lightness: Number(read('--flame-lightness')),
      chroma: Number(read('--flame-chroma')),
      dark: theme === 'dark',
    },
  };
}
