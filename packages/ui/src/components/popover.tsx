import { useEffect, useId, useRef, useState, type ReactNode } from 'react';

/**
 * A button with a panel below it. Opens on click, closes on Esc, on a click elsewhere, and when the
 * keyboard leaves it; Esc gives the focus back to the button.
 */
export function Popover(props: {
  readonly label: string;
  readonly button: ReactNode;
  readonly buttonClass?: string;
  readonly align?: 'start' | 'end';
  readonly testId?: string;
  readonly children: (close: () => void) => ReactNode;
}) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const panelId = useId();
  const triggerId = useId();

  useEffect(() => {
    if (!isOpen) return undefined;
    const panel = root.current?.querySelector<HTMLElement>('.popover-panel');
    panel?.querySelector<HTMLElement>('[data-autofocus], input, button, select')?.focus();
    const closeOutside = (event: Event): void => {
      if (event.target instanceof Node && root.current?.contains(event.target) === false) setOpen(false);
    };
    document.addEventListener('pointerdown', closeOutside);
    document.addEventListener('focusin', closeOutside);
    return () => {
      document.removeEventListener('pointerdown', closeOutside);
      document.removeEventListener('focusin', closeOutside);
    };
  }, [isOpen]);

  const close = (): void => {
    setOpen(false);
    document.getElementById(triggerId)?.focus();
  };
  return (
    <div
      className="popover"
      ref={root}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !isOpen) return;
        event.preventDefault();
        event.stopPropagation();
        close();
      }}
    >
      <button
        id={triggerId}
        type="button"
        className={props.buttonClass ?? 'button'}
        aria-label={props.label}
        aria-expanded={isOpen}
        aria-controls={panelId}
        title={props.label}
        data-testid={props.testId}
        onClick={() => setOpen(!isOpen)}
      >
        {props.button}
      </button>
      {isOpen && (
        <div
          id={panelId}
          className={`popover-panel align-${props.align ?? 'start'}`}
          role="dialog"
          aria-label={props.label}
        >
          {props.children(close)}
        </div>
      )}
    </div>
  );
}
