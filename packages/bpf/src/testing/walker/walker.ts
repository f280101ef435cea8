import { execFileSync } from 'node:child_process';

import { STACK_ENDS, type StackEnd } from '../../collection.ts';

/** Registers of a stopped or sampled thread, and a copy of its stack if its memory will not be read. */
export interface WalkInput {
  /** 16 registers by DWARF number, then ip. */
  readonly registers: BigUint64Array;
  readonly stack?: Uint8Array;
}

export interface Walk {
  readonly end: StackEnd;
  /** Leaf first. Of a caller: the last byte of the call, not the address to return to. */
  readonly frames: readonly bigint[];
}

const MAX_OUTPUT_BYTES = 1 << 30;

/** What a walk is asked: see walker.cc. */
export function encodeWalk({ registers, stack = new Uint8Array() }: WalkInput): Buffer {
  const head = BigUint64Array.of(...registers, BigInt(stack.length));
  return Buffer.concat([Buffer.from(head.buffer), stack]);
}

/** What it answers. */
export function decodeWalk(line: string): Walk {
  const [end = '', , ...frames] = line.split(' ');
  return {
    end: STACK_ENDS[Number(end)] ?? 'none',
    frames: frames.map((frame) =>
      frame.startsWith('=') ? BigInt(`0x${frame.slice(1)}`) : BigInt(`0x${frame}`) - 1n,
    ),
  };
}

/** Walks copies of stacks of a process whose mappings are in the file `maps`. */
export function walkCopies(walker: string, maps: string, inputs: readonly WalkInput[]): Walk[] {
  const text = execFileSync(walker, [maps], {
    input: Buffer.concat(inputs.map(encodeWalk)),
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  return text.trimEnd().split('\n').map(decodeWalk);
}
