/** As jsx-runtime.ts, for `pnpm dev` and tests. */
import { Fragment, jsxDEV as reactJsxDev } from 'react/jsx-dev-runtime';
import { visibleProps } from './visible-props.ts';

export type { JSX } from 'react/jsx-runtime';
export { Fragment };

export const jsxDEV: typeof reactJsxDev = (type, props, ...rest) =>
  reactJsxDev(
    type,
    typeof type === 'string' && typeof props === 'object' && props !== null
      ? visibleProps(type, props)
      : props,
    ...rest,
  );
