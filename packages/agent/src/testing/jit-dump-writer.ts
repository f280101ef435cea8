/** Writes jitdumps as the specification has them, for tests; see jit-dump-records.ts for the layout. */
export class JitDumpWriter {
  readonly #parts: Buffer[] = [];
  readonly #littleEndian: boolean;

  constructor({ littleEndian = true, flags = 0, version = 1 } = {}) {
    this.#littleEndian = littleEndian;
    const header = Buffer.alloc(40);
    this.#u32(header, 0, 0x4a695444);
    this.#u32(header, 4, version);
    this.#u32(header, 8, header.length);
    this.#u32(header, 12, 62);
    this.#u32(header, 20, 1);
    this.#u64(header, 32, flags);
    this.#parts.push(header);
  }

  load(timeNs: number, address: number, size: number, index: number, name: string): this {
    const body = Buffer.alloc(40);
    this.#u64(body, 8, address);
    this.#u64(body, 16, address);
    this.#u64(body, 24, size);
    this.#u64(body, 32, index);
    // The code itself, full of what could be taken for records.
    return this.#record(0, timeNs, body, Buffer.from(`${name}\0`), Buffer.alloc(size, 1));
  }

  move(timeNs: number, from: number, to: number, size: number, index: number): this {
    const body = Buffer.alloc(48);
    this.#u64(body, 8, to);
    this.#u64(body, 16, from);
    this.#u64(body, 24, to);
    this.#u64(body, 32, size);
    this.#u64(body, 40, index);
    return this.#record(1, timeNs, body);
  }

  lines(timeNs: number, address: number, lines: readonly (readonly [number, number, string])[]): this {
    const head = Buffer.alloc(16);
    this.#u64(head, 0, address);
    this.#u64(head, 8, lines.length);
    const entries = lines.flatMap(([at, line, file]) => {
      const entry = Buffer.alloc(16);
      this.#u64(entry, 0, at);
      this.#u32(entry, 8, line);
      return [entry, Buffer.from(`${file}\0`)];
    });
    return this.#record(2, timeNs, head, ...entries);
  }

  close(timeNs: number): this {
    return this.#record(3, timeNs);
  }

  unwinding(timeNs: number): this {
    return this.#record(4, timeNs, Buffer.alloc(24 + 64, 0xff));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #record(id: number, timeNs: number, ...body: readonly Buffer[]): this {
    const header = Buffer.alloc(16);
    this.#u32(header, 0, id);
    this.#u32(
      header,
      4,
      body.reduce((sum, part) => sum + part.length, header.length),
    );
    this.#u64(header, 8, timeNs);
    this.#parts.push(header, ...body);
    return this;
  }

  #u32(to: Buffer, at: number, value: number): void {
    if (this.#littleEndian) to.writeUInt32LE(value, at);
    else to.writeUInt32BE(value, at);
  }

  #u64(to: Buffer, at: number, value: number): void {
    if (this.#littleEndian) to.writeBigUInt64LE(BigInt(value), at);
    else to.writeBigUInt64BE(BigInt(value), at);
  }
}
