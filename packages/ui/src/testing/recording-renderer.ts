import { BOX_MERGED, BOX_NODE } from '../flame/box-batch.ts';
import type { FlameColours } from '../flame/colour.ts';
import type { FlamePaint, Marks, Renderer } from '../flame/renderer.ts';
import { FLAG_FADED, type Scene } from '../flame/scene.ts';

/** A renderer that writes down what it is told to draw, one line for each box and label. */
export class RecordingRenderer implements Renderer {
  readonly log: string[] = [];
  readonly nameOf: (node: number) => string;

  constructor(nameOf: (node: number) => string) {
    this.nameOf = nameOf;
  }

  resize(width: number, height: number, pixelRatio: number): void {
    this.log.push(`resize ${width}x${height} @${pixelRatio}`);
  }

  drawBoxes(scene: Scene, _colours: FlameColours, _paint: FlamePaint): void {
    const { batch, flags, labels } = scene;
    for (let i = 0; i < batch.length; i++) {
      const at = `${round(batch.x[i]!)}+${round(batch.width[i]!)} y${batch.y[i]} h${batch.height[i]}`;
      const name = this.nameOf(batch.node[i]!);
      if (batch.form[i] === BOX_NODE) {
        this.log.push(`box ${name} ${at}${(flags[i]! & FLAG_FADED) === 0 ? '' : ' faded'}`);
      } else {
        this.log.push(`${batch.form[i] === BOX_MERGED ? 'merged' : 'pruned'} ${batch.count[i]} ${at}`);
      }
    }
    for (let i = 0; i < labels.length; i++) {
      const detail = labels.detail[i] === '' ? '' : ` (${labels.detail[i]})`;
      this.log.push(`label ${labels.text[i]}${detail}`);
    }
  }

  drawMarks(scene: Scene, marks: Marks): void {
    const { batch } = scene;
    for (let i = 0; i < batch.length; i++) {
      const frame = marks.frameOf[batch.node[i]!]!;
      if (frame === marks.hoverFrame) this.log.push(`hover ${this.nameOf(batch.node[i]!)}`);
    }
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
