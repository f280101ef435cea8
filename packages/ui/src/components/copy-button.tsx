import { CopyIcon } from './icons.tsx';
import { usePage } from './page-context.ts';

/** Puts a text on the clipboard, and says so. */
export function CopyButton(props: { readonly text: string; readonly what: string }) {
  const { toast } = usePage();
  const { text, what } = props;
  return (
    <button
      type="button"
      className="icon-button tiny"
      aria-label={`Copy the ${what}`}
      title={`Copy the ${what}`}
      onClick={(event) => {
        event.stopPropagation();
        void navigator.clipboard.writeText(text).then(
          () => toast.set(`Copied the ${what}.`),
          () => toast.set('The browser did not allow copying.'),
        );
      }}
    >
      <CopyIcon />
    </button>
  );
}
