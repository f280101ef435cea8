import { useEffect, useRef, useState } from 'react';
import { keyCaps } from '../commands/keys.ts';
import { COMMAND_GROUPS, type Command } from '../commands/registry.ts';
import { Signal } from '../session/signal.ts';
import { CloseIcon } from './icons.tsx';
import { useSignal } from './use-signal.ts';

/** The commands that are bound now. */
export const sheetCommands = new Signal<readonly Command[]>([]);

/** The button and the dialog with all keys, printed from the commands themselves. */
export function ShortcutSheet() {
  const [isOpen, setOpen] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  const commands = useSignal(sheetCommands);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <>
      <button
        type="button"
        className="icon-button"
        data-testid="shortcuts"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={() => setOpen(true)}
      >
        <span className="glyph" aria-hidden="true">
          ?
        </span>
      </button>
      <dialog
        ref={dialog}
        className="sheet"
        aria-label="Keyboard shortcuts"
        onClose={() => setOpen(false)}
        onClick={(event) => {
          if (event.target === dialog.current) setOpen(false);
        }}
      >
        <header>
          <h2>Keyboard</h2>
          <button type="button" className="icon-button" aria-label="Close" onClick={() => setOpen(false)}>
            <CloseIcon />
          </button>
        </header>
        <div className="sheet-groups">
          {COMMAND_GROUPS.map((group) => (
            <section key={group}>
              <h3>{group}</h3>
              <dl>
                {commands
                  .filter((command) => command.group === group)
                  .map((command) => (
                    <div key={command.id}>
                      <dt>{command.title}</dt>
                      <dd>
                        {command.keys.map((key, i) => (
                          <span key={key}>
                            {i > 0 && <span className="muted"> or </span>}
                            {keyCaps(key).map((cap) => (
                              <kbd key={cap}>{cap}</kbd>
                            ))}
                          </span>
                        ))}
                      </dd>
                    </div>
                  ))}
              </dl>
            </section>
          ))}
        </div>
        <p className="muted">
          In the flame graph: click focuses, drag and wheel move, Ctrl and wheel zooms. The function table
          holds the same data for screen readers.
        </p>
      </dialog>
    </>
  );
}
