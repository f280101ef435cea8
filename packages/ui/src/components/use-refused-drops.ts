import { useEffect } from 'react';
import type { Page } from './page-context.ts';

const WORDS =
  'Files are not taken here. Store a profile with: fleetflame push FILE --label service_name=NAME';

/** A file that is dropped on the page would replace it, unless somebody takes the event: it says what to do instead. */
export function useRefusedDrops({ toast }: Pick<Page, 'toast'>): void {
  useEffect(() => {
    const hold = (event: DragEvent): boolean => {
      if (event.dataTransfer?.types.includes('Files') !== true) return false;
      event.preventDefault();
      return true;
    };
    const refuse = (event: DragEvent): void => {
      if (hold(event)) toast.set(WORDS);
    };
    window.addEventListener('dragover', hold);
    window.addEventListener('drop', refuse);
    return () => {
      window.removeEventListener('dragover', hold);
      window.removeEventListener('drop', refuse);
    };
  }, [toast]);
}
