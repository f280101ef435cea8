/** What JSX of this package compiles to (jsxImportSource): React's, with text made visible. */
import { Fragment, jsx as reactJsx, jsxs as reactJsxs, type JSX } from 'react/jsx-runtime';
import { visibleProps } from './visible-props.ts';

type Create = typeof reactJsx;

export type { JSX };
export { Fragment };

export const jsx: Create = (type, props, key) => reactJsx(type, shown(type, props), key);
export const jsxs: Create = (type, props, key) => reactJsxs(type, shown(type, props), key);

function shown(type: unknown, props: unknown): unknown {
  return typeof type === 'string' && typeof props === 'object' && props !== null
    ? visibleProps(type, props)
    : props;
}
