import type { ReactNode } from 'react';

/** Line icons on a 16-pixel grid. They repeat words, so screen readers skip them. */
function icon(children: ReactNode): () => ReactNode {
  return function Icon() {
    return (
      <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
        {children}
      </svg>
    );
  };
}

export const SearchIcon = icon(<path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.3 7.8L14 14" />);
export const FilterIcon = icon(<path d="M2 3.5h12L9.5 9v4l-3-1.5V9L2 3.5Z" />);
export const CloseIcon = icon(<path d="m4 4 8 8M12 4l-8 8" />);
export const PauseIcon = icon(<path d="M5.5 3.5v9M10.5 3.5v9" />);
export const PlayIcon = icon(<path d="M5 3.2v9.6L12.5 8 5 3.2Z" />);
export const LinkIcon = icon(
  <path d="M6.7 9.3a2.6 2.6 0 0 0 3.7 0l2.4-2.4a2.6 2.6 0 0 0-3.7-3.7l-1 1M9.3 6.7a2.6 2.6 0 0 0-3.7 0L3.2 9.1a2.6 2.6 0 0 0 3.7 3.7l1-1" />,
);
export const SunIcon = icon(
  <path d="M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M13 3l-1.1 1.1M4.1 11.9 3 13" />,
);
export const MoonIcon = icon(<path d="M13.5 9.6A6 6 0 0 1 6.4 2.5 6 6 0 1 0 13.5 9.6Z" />);
export const SystemIcon = icon(<path d="M2 3h12v8H2V3Zm4 10.5h4M8 11v2.5" />);
export const ChevronIcon = icon(<path d="m4.5 6.5 3.5 3.5 3.5-3.5" />);
export const FlipIcon = icon(
  <path d="M5 2v11M5 13l-2.5-2.5M5 13l2.5-2.5M11 14V3M11 3 8.5 5.5M11 3l2.5 2.5" />,
);
export const SplitIcon = icon(<path d="M2 3h12v10H2V3Zm7.5 0v10" />);
export const FlameLayoutIcon = icon(<path d="M2 3.5h12M2 6.5h12M2 9.5h8M2 12.5h4" />);
export const TableIcon = icon(<path d="M2 3h12v10H2V3Zm0 3.3h12M2 9.6h12M6.5 3v10" />);
export const WarnIcon = icon(<path d="M8 2 1.5 13.5h13L8 2Zm0 4.5v3.5M8 11.8v.2" />);
export const ZoomOutIcon = icon(<path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.3 7.8L14 14M5 7h4" />);
export const CopyIcon = icon(<path d="M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8v-8Z" />);
export const BinaryIcon = icon(<path d="M3 2h7l3 3v9H3V2Zm7 0v3h3M5.5 8h5M5.5 11h5" />);
export const UpIcon = icon(<path d="m4.5 9.5 3.5-3.5 3.5 3.5" />);
export const DownIcon = ChevronIcon;

export function Logo() {
  return (
    <svg
      className="logo-mark"
      viewBox="0 0 24 24"
      width="24"
      height="24"
      aria-hidden="true"
      focusable="false"
    >
      <path
        className="logo-outer"
        d="M12.4 1.8c.5 3.2 2.1 4.6 3.7 6.5 1.6 1.9 2.9 3.7 2.9 6.6A7 7 0 0 1 12 22a7 7 0 0 1-7-7.1c0-2.4 1-4.2 2.5-5.8.2 1.5.8 2.4 1.8 2.9-.4-3.8.6-7.6 3.1-10.2Z"
      />
      <path className="logo-inner" d="M8.6 19.2h6.8v-2.1H8.6zM9.8 16.2h4.4v-2.1H9.8zM11 13.2h2v-2.1h-2z" />
    </svg>
  );
}
