/**
 * All text of the page comes from names that others chose, and passes here on its way into an element: what nobody
 * would see, or what would turn the text around, is shown as `\u202e`. In one place, because the page has a
 * hundred that show a name. Values of inputs are what is asked for and stay as they are.
 */
import { visibleLines, visibleText } from '@fleetflame/profile';

/** Attributes that are read out or shown. */
const SHOWN = ['title', 'aria-label', 'alt', 'placeholder', 'label'] as const;

type Props = Readonly<Record<string, unknown>>;

/** `props` of an HTML or SVG element with its own text made visible; the same object where nothing changes. */
export function visibleProps(tag: string, element: object): Props {
  // What JSX makes for an element has text for keys.
  const props: Props = isRecord(element) ? element : {};
  let changed: Record<string, unknown> | undefined;
  const change = (name: string, value: unknown): void => {
    if (value !== props[name]) (changed ??= { ...props })[name] = value;
  };
  // Preformatted text has lines of its own.
  const show = tag === 'pre' ? visibleLines : visibleText;
  const { children } = props;
  if (typeof children === 'string') change('children', show(children));
  else if (
    Array.isArray(children) &&
    children.some((child) => typeof child === 'string' && show(child) !== child)
  ) {
    change(
      'children',
      children.map((child: unknown) => (typeof child === 'string' ? show(child) : child)),
    );
  }
  for (const name of SHOWN) {
    const value = props[name];
    // Titles may have lines.
    if (typeof value === 'string') change(name, visibleLines(value));
  }
  return changed ?? props;
}

function isRecord(value: object): value is Props {
  return !Array.isArray(value);
}
