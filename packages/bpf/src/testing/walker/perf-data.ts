import { readFileSync } from 'node:fs';

/** One sample of perf record with the registers and the piece of stack that it copied. */
export interface StackCopy {
  readonly pid: number;
  readonly tid: number;
  readonly timeNs: bigint;
  /** 16 registers by DWARF number, then ip. */
  readonly registers: BigUint64Array;
  /** From the stack pointer up. */
  readonly stack: Uint8Array;
}

const MAGIC = 'PERFILE2';
const RECORD_SAMPLE = 9;
const HEADER_BYTES = 8;
const WORD = 8;

/** Bits of perf_event_attr.sample_type, in the order of a sample's fields. */
const IDENTIFIER = 1n << 16n;
const IP = 1n << 0n;
const TID = 1n << 1n;
const TIME = 1n << 2n;
const ADDR = 1n << 3n;
const ID = 1n << 6n;
const STREAM_ID = 1n << 9n;
const CPU = 1n << 7n;
const PERIOD = 1n << 8n;
const READ = 1n << 4n;
const CALLCHAIN = 1n << 5n;
const RAW = 1n << 10n;
const BRANCH_STACK = 1n << 11n;
const REGS_USER = 1n << 12n;
const STACK_USER = 1n << 13n;

/** Offsets in perf_event_attr. */
const ATTR_SAMPLE_TYPE = 24;
const ATTR_REGS_USER = 80;

/** perf's number (enum perf_event_x86_regs) of each register by DWARF number, then of ip. */
const PERF_REGISTERS = [0, 3, 2, 1, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8];

/** The samples of a file that `perf record --call-graph dwarf` wrote for one event. */
export function* readStackCopies(path: string): Generator<StackCopy> {
  const file = readFileSync(path);
  if (file.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error(`${path} is not a perf.data file`);
  const u64 = (at: number): number => Number(file.readBigUInt64LE(at));
  const attributes = u64(24);
  const data = u64(40);
  const end = data + u64(48);
  const type = file.readBigUInt64LE(attributes + ATTR_SAMPLE_TYPE);
  const mask = file.readBigUInt64LE(attributes + ATTR_REGS_USER);
  if ((type & REGS_USER) === 0n || (type & STACK_USER) === 0n) throw new Error(`${path} has no stacks`);
  if ((type & (READ | RAW | BRANCH_STACK)) !== 0n)
    throw new Error(`${path} has fields that are not read here`);
  for (let at = data; at + HEADER_BYTES <= end;) {
    const size = file.readUInt16LE(at + 6);
    if (size < HEADER_BYTES) throw new Error(`${path} is damaged at ${at}`);
    if (file.readUInt32LE(at) === RECORD_SAMPLE) {
      const copy = readSample(file, at + HEADER_BYTES, type, mask);
      if (copy !== undefined) yield copy;
    }
    at += size;
  }
}

function readSample(file: Buffer, start: number, type: bigint, mask: bigint): StackCopy | undefined {
  let at = start;
  const skip = (...bits: readonly bigint[]): void => {
    for (const bit of bits) if ((type & bit) !== 0n) at += WORD;
  };
  skip(IDENTIFIER, IP);
  if ((type & TID) === 0n || (type & TIME) === 0n) throw new Error('samples without thread or time');
  const pid = file.readUInt32LE(at);
  const tid = file.readUInt32LE(at + 4);
  const timeNs = file.readBigUInt64LE(at + WORD);
  at += 2 * WORD;
  skip(ADDR, ID, STREAM_ID, CPU, PERIOD);
  if ((type & CALLCHAIN) !== 0n) at += WORD * (1 + Number(file.readBigUInt64LE(at)));
  const abi = file.readBigUInt64LE(at);
  at += WORD;
  if (abi === 0n) return undefined;
  const values = new Map<number, bigint>();
  for (let bit = 0; bit < 64; bit++) {
    if ((mask & (1n << BigInt(bit))) === 0n) continue;
    values.set(bit, file.readBigUInt64LE(at));
    at += WORD;
  }
  const copied = Number(file.readBigUInt64LE(at));
  at += WORD;
  if (copied === 0) return undefined;
  const valid = Number(file.readBigUInt64LE(at + copied));
  return {
    pid,
    tid,
    timeNs,
    registers: BigUint64Array.from(PERF_REGISTERS, (number) => values.get(number) ?? 0n),
    stack: file.subarray(at, at + valid),
  };
}
