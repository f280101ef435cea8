import { seriesPalette, type SeriesPalette } from './series-colours.ts';
import { stepAt, timeTicks, valueTicks, type StackedSeries } from './stacked-series.ts';

/**
 * The chart on screen: stacked areas on a canvas, a cursor line and a brush on a second one. Like
 * the flame graph it is drawn by hand, when something changed and not before.
 */
export interface ChartEvents {
  /** Step under the pointer, or undefined. */
  readonly onHover: (step: number | undefined) => void;
  /** A time range was brushed; ends are whole seconds. */
  readonly onBrush: (fromMs: number, toMs: number) => void;
}

export interface ChartData {
  readonly series: StackedSeries;
  readonly fromMs: number;
  readonly toMs: number;
  /** Words for a value on the axis. */
  readonly formatValue: (value: number) => string;
  /** Of the unit that the axis is in: its numbers are round in it. */
  readonly unitSize: number;
  /** Band to bring out, index in `series.bands`; -1 for none. */
  readonly highlight: number;
}

const PADDING = { right: 8, top: 8, bottom: 18 } as const;
/** Room for the numbers of the axis; wider ones get more. */
const LEAST_LEFT_PX = 44;
/** A shorter brush is a slip of the hand. */
const SHORTEST_BRUSH_PX = 5;

export class ChartSurface {
  readonly #areas: HTMLCanvasElement;
  readonly #marks: HTMLCanvasElement;
  #left = LEAST_LEFT_PX;
  readonly #events: ChartEvents;
  readonly #abort = new AbortController();
  readonly #observer: ResizeObserver;
  #data: ChartData | undefined;
  #palette: SeriesPalette | undefined;
  #hoverX: number | undefined;
  #brush: { readonly from: number; to: number } | undefined;
  #request = 0;
  #areasDirty = true;

  constructor(areas: HTMLCanvasElement, marks: HTMLCanvasElement, events: ChartEvents) {
    this.#areas = areas;
    this.#marks = marks;
    this.#events = events;
    this.#observer = new ResizeObserver(() => this.#draw());
    this.#observer.observe(areas);
    this.#listen();
  }

  destroy(): void {
    cancelAnimationFrame(this.#request);
    this.#observer.disconnect();
    this.#abort.abort();
  }

  setData(data: ChartData): void {
    this.#data = data;
    this.#invalidate(true);
  }

  setTheme(theme: 'light' | 'dark'): void {
    this.#palette = seriesPalette(theme === 'dark');
    this.#invalidate(true);
  }

  #listen(): void {
    const options = { signal: this.#abort.signal };
    const element = this.#marks;
    element.addEventListener(
      'pointerdown',
      (event) => {
        if (event.button !== 0) return;
        element.setPointerCapture(event.pointerId);
        this.#brush = { from: event.offsetX, to: event.offsetX };
      },
      options,
    );
    element.addEventListener(
      'pointermove',
      (event) => {
        this.#hoverX = event.offsetX;
        if (this.#brush !== undefined) this.#brush = { from: this.#brush.from, to: event.offsetX };
        this.#tellHover();
        this.#invalidate(false);
      },
      options,
    );
    element.addEventListener('pointerup', () => this.#endBrush(), options);
    element.addEventListener('pointercancel', () => this.#cancelBrush(), options);
    element.addEventListener(
      'pointerleave',
      () => {
        this.#hoverX = undefined;
        this.#events.onHover(undefined);
        this.#invalidate(false);
      },
      options,
    );
    element.ownerDocument.addEventListener(
      'keydown',
      (event) => {
        if (event.key === 'Escape') this.#cancelBrush();
      },
      options,
    );
  }

  #endBrush(): void {
    const brush = this.#brush;
    const data = this.#data;
    this.#cancelBrush();
    if (brush === undefined || data === undefined || Math.abs(brush.to - brush.from) < SHORTEST_BRUSH_PX)
      return;
    const from = Math.min(brush.from, brush.to);
    const to = Math.max(brush.from, brush.to);
    const fromMs = Math.floor(Math.max(data.fromMs, this.#timeAt(from)) / 1000) * 1000;
    const toMs = Math.ceil(Math.min(data.toMs, this.#timeAt(to)) / 1000) * 1000;
    if (toMs > fromMs) this.#events.onBrush(fromMs, toMs);
  }

  #cancelBrush(): void {
    if (this.#brush === undefined) return;
    this.#brush = undefined;
    this.#invalidate(false);
  }

  #tellHover(): void {
    const data = this.#data;
    if (data === undefined || this.#hoverX === undefined) return;
    this.#events.onHover(stepAt(data.series, this.#timeAt(this.#hoverX)));
  }

  #plotWidth(): number {
    return Math.max(1, this.#areas.clientWidth - this.#left - PADDING.right);
  }

  #timeAt(x: number): number {
    const data = this.#data;
    if (data === undefined) return 0;
    return data.fromMs + ((x - this.#left) / this.#plotWidth()) * (data.toMs - data.fromMs);
  }

  #xOf(timeMs: number): number {
    const data = this.#data;
    if (data === undefined) return 0;
    return this.#left + ((timeMs - data.fromMs) / (data.toMs - data.fromMs)) * this.#plotWidth();
  }

  #invalidate(areas: boolean): void {
    this.#areasDirty ||= areas;
    if (this.#request !== 0) return;
    this.#request = requestAnimationFrame(() => {
      this.#request = 0;
      if (this.#areasDirty) this.#draw();
      else this.#drawMarks();
    });
  }

  #prepare(canvas: HTMLCanvasElement): CanvasRenderingContext2D | undefined {
    const ratio = window.devicePixelRatio;
    const width = Math.round(this.#areas.clientWidth * ratio);
    const height = Math.round(this.#areas.clientHeight * ratio);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext('2d');
    if (context === null || width === 0 || height === 0) return undefined;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  #draw(): void {
    this.#areasDirty = false;
    const context = this.#prepare(this.#areas);
    const data = this.#data;
    if (context === undefined || data === undefined) return;
    const style = getComputedStyle(this.#areas);
    const read = (name: string): string => style.getPropertyValue(name).trim();
    const height = this.#areas.clientHeight - PADDING.top - PADDING.bottom;
    context.font = `11px ${read('--font-ui')}`;
    const { top, ticks } = valueTicks(data.series.peak, 4, data.unitSize);
    this.#makeRoom(context, ticks.map(data.formatValue));
    const yOf = (value: number): number => PADDING.top + height * (1 - value / top);
    this.#drawAxes(context, ticks, yOf, read);
    this.#drawBands(context, data, yOf);
    this.#drawMarks();
  }

  /** The numbers of the axis are shown whole, however wide. */
  #makeRoom(context: CanvasRenderingContext2D, words: readonly string[]): void {
    const widest = words.reduce((most, text) => Math.max(most, context.measureText(text).width), 0);
    this.#left = Math.max(LEAST_LEFT_PX, Math.ceil(widest) + 12);
  }

  #drawAxes(
    context: CanvasRenderingContext2D,
    valueMarks: readonly number[],
    yOf: (value: number) => number,
    read: (name: string) => string,
  ): void {
    const data = this.#data;
    if (data === undefined) return;
    context.fillStyle = read('--text-muted');
    context.strokeStyle = read('--border');
    context.lineWidth = 1;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const tick of valueMarks) {
      const y = Math.round(yOf(tick)) + 0.5;
      context.beginPath();
      context.moveTo(this.#left, y);
      context.lineTo(this.#areas.clientWidth - PADDING.right, y);
      context.stroke();
      context.fillText(data.formatValue(tick), this.#left - 6, y);
    }
    context.textBaseline = 'alphabetic';
    context.textAlign = 'center';
    const most = Math.max(2, Math.floor(this.#plotWidth() / 96));
    const isLong = data.toMs - data.fromMs > 36 * 3_600_000;
    const ticks = timeTicks(data.fromMs, data.toMs, most);
    // Ticks less than a minute apart would repeat the same words without their seconds.
    const needsSeconds = ticks.some((tick) => tick % 60_000 !== 0);
    for (const tick of ticks) {
      const time = new Date(tick);
      const words = isLong
        ? `${time.toLocaleDateString('en-GB', { day: '2-digit', month: 'short' })} ${time.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}`
        : time.toLocaleTimeString('en-GB', needsSeconds ? {} : { hour: '2-digit', minute: '2-digit' });
      const x = this.#xOf(tick);
      if (x < this.#left + 20 || x > this.#areas.clientWidth - 24) continue;
      context.fillText(words, x, this.#areas.clientHeight - 4);
    }
  }

  #drawBands(context: CanvasRenderingContext2D, data: ChartData, yOf: (value: number) => number): void {
    const { series } = data;
    const { times, stepMs, bands } = series;
    if (times.length === 0) return;
    const fill = (upper: Float64Array, lower: Float64Array | undefined): void => {
      context.beginPath();
      // Each step is a plateau: its value is an average over the step, not a point in time.
      for (let i = 0; i < times.length; i++) {
        const y = yOf(upper[i]!);
        context.lineTo(this.#edge(times[i]!), y);
        context.lineTo(this.#edge(times[i]! + stepMs), y);
        if (i + 1 < times.length && times[i + 1]! > times[i]! + stepMs) {
          context.lineTo(this.#edge(times[i]! + stepMs), yOf(0));
          context.lineTo(this.#edge(times[i + 1]!), yOf(0));
        }
      }
      for (let i = times.length - 1; i >= 0; i--) {
        const y = yOf(lower?.[i] ?? 0);
        context.lineTo(this.#edge(times[i]! + stepMs), y);
        context.lineTo(this.#edge(times[i]!), y);
      }
      context.closePath();
      context.fill();
    };
    bands.forEach((band, i) => {
      context.fillStyle = this.#colourOf(band.colour, band.rest);
      context.globalAlpha = data.highlight >= 0 && data.highlight !== i ? 0.22 : 1;
      fill(band.upper, bands[i - 1]?.upper);
    });
    context.globalAlpha = 1;
  }

  #edge(timeMs: number): number {
    const right = this.#areas.clientWidth - PADDING.right;
    return Math.min(right, Math.max(this.#left, this.#xOf(timeMs)));
  }

  #colourOf(colour: number, rest: boolean): string {
    if (this.#palette === undefined) return 'transparent';
    return rest ? this.#palette.rest : (this.#palette.bands[colour] ?? this.#palette.rest);
  }

  #drawMarks(): void {
    const context = this.#prepare(this.#marks);
    const data = this.#data;
    if (context === undefined || data === undefined) return;
    const style = getComputedStyle(this.#marks);
    const height = this.#areas.clientHeight - PADDING.top - PADDING.bottom;
    const clampX = (x: number): number =>
      Math.min(this.#areas.clientWidth - PADDING.right, Math.max(this.#left, x));
    if (this.#brush !== undefined) {
      const from = clampX(Math.min(this.#brush.from, this.#brush.to));
      const to = clampX(Math.max(this.#brush.from, this.#brush.to));
      context.fillStyle = style.getPropertyValue('--accent').trim();
      context.globalAlpha = 0.18;
      context.fillRect(from, PADDING.top, to - from, height);
      context.globalAlpha = 1;
      context.fillRect(from, PADDING.top, 1, height);
      context.fillRect(to - 1, PADDING.top, 1, height);
      return;
    }
    if (this.#hoverX === undefined || this.#hoverX < this.#left) return;
    const step = stepAt(data.series, this.#timeAt(this.#hoverX));
    if (step === undefined) return;
    const x = this.#edge(data.series.times[step]!);
    const width = Math.max(1, this.#edge(data.series.times[step]! + data.series.stepMs) - x);
    context.fillStyle = style.getPropertyValue('--text').trim();
    context.globalAlpha = 0.14;
    context.fillRect(x, PADDING.top, width, height);
    context.globalAlpha = 0.7;
    context.fillRect(Math.round(x + width / 2), PADDING.top, 1, height);
    context.globalAlpha = 1;
  }
}
