/** Turns pointer and wheel events of one element into gestures. Coordinates are CSS pixels. */
export interface PointerGestures {
  readonly onHover: (x: number, y: number, clientX: number, clientY: number) => void;
  readonly onLeave: () => void;
  readonly onClick: (x: number, y: number) => void;
  readonly onPan: (dx: number, dy: number) => void;
  readonly onScroll: (dx: number, dy: number) => void;
  readonly onZoom: (factor: number, x: number) => void;
}

/** A press that moves less is a click. */
const DRAG_THRESHOLD_PX = 4;
/** Lines of a mouse wheel that reports lines. */
const LINE_PX = 20;

export class PointerControl {
  readonly element: HTMLElement;
  readonly #abort = new AbortController();
  #press: { x: number; y: number; isDrag: boolean } | undefined;

  constructor(element: HTMLElement, gestures: PointerGestures) {
    this.element = element;
    const options = { signal: this.#abort.signal };
    element.addEventListener(
      'pointerdown',
      (event) => {
        if (event.button !== 0) return;
        this.#press = { x: event.clientX, y: event.clientY, isDrag: false };
        element.setPointerCapture(event.pointerId);
      },
      options,
    );
    element.addEventListener(
      'pointermove',
      (event) => {
        const press = this.#press;
        if (press === undefined) {
          gestures.onHover(event.offsetX, event.offsetY, event.clientX, event.clientY);
          return;
        }
        const dx = event.clientX - press.x;
        const dy = event.clientY - press.y;
        if (!press.isDrag && Math.hypot(dx, dy) < DRAG_THRESHOLD_PX) return;
        if (!press.isDrag) {
          gestures.onLeave();
          element.classList.add('is-dragging');
        }
        this.#press = { x: event.clientX, y: event.clientY, isDrag: true };
        gestures.onPan(dx, dy);
      },
      options,
    );
    element.addEventListener(
      'pointerup',
      (event) => {
        const press = this.#press;
        this.#endPress();
        if (press !== undefined && !press.isDrag) gestures.onClick(event.offsetX, event.offsetY);
      },
      options,
    );
    element.addEventListener('pointercancel', () => this.#endPress(), options);
    element.addEventListener('pointerleave', () => gestures.onLeave(), options);
    element.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
        if (event.ctrlKey || event.metaKey) {
          gestures.onZoom(Math.exp(-event.deltaY * unit * 0.004), event.offsetX);
        } else if (event.shiftKey) {
          gestures.onScroll((event.deltaX + event.deltaY) * unit, 0);
        } else {
          gestures.onScroll(event.deltaX * unit, event.deltaY * unit);
        }
      },
      { ...options, passive: false },
    );
  }

  destroy(): void {
    this.#abort.abort();
  }

  #endPress(): void {
    this.#press = undefined;
    this.element.classList.remove('is-dragging');
  }
}
