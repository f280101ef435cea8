import { copyLink, linkFor } from './copy-link.ts';
import { LinkIcon, Logo } from './icons.tsx';
import { usePage, useView } from './page-context.ts';
import { GroupByPicker, ProfileTypePicker, ThemePicker } from './pickers.tsx';
import { Popover } from './popover.tsx';
import { SelectorBar } from './selector-bar.tsx';
import { ShortcutSheet } from './shortcut-sheet.tsx';
import { DataAge, TimeControl } from './time-control.tsx';

export function TopBar() {
  return (
    <header className="top-bar">
      <a className="logo" href="/" aria-label="Fleetflame: everything, live">
        <Logo />
        <span>Fleetflame</span>
      </a>
      <SelectorBar />
      <ProfileTypePicker />
      <GroupByPicker />
      <TimeControl />
      <DataAge />
      <span className="top-actions">
        <ShareButton />
        <ThemePicker />
        <ShortcutSheet />
      </span>
    </header>
  );
}

function ShareButton() {
  const page = usePage();
  const { range } = useView();
  return (
    <Popover label="Share a link" testId="share" buttonClass="icon-button" align="end" button={<LinkIcon />}>
      {(close) => (
        <div className="share">
          {range.kind === 'last' && (
            <button
              type="button"
              className="share-choice"
              data-autofocus=""
              onClick={() => {
                void copyLink(page, 'live');
                close();
              }}
            >
              <strong>Copy live link</strong>
              <span className="muted">Whoever opens it sees the same view, up to their now.</span>
            </button>
          )}
          <button
            type="button"
            className="share-choice"
            data-testid="copy-pinned"
            data-link={linkFor(page, 'pinned')}
            onClick={() => {
              void copyLink(page, 'pinned');
              close();
            }}
          >
            <strong>Copy pinned link</strong>
            <span className="muted">The very range on screen, as long as the store keeps it.</span>
          </button>
        </div>
      )}
    </Popover>
  );
}
