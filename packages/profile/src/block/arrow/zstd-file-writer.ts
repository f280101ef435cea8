import { CompressionType, RecordBatchFileWriter } from 'apache-arrow';
import { BufferRegion } from 'apache-arrow/ipc/metadata/message';

import { zstdCompress } from '#compression';

const PREFIX_BYTES = 8;

/**
 * An Arrow IPC file writer whose buffers are zstd frames with a content checksum.
 *
 * The library's own compression (21.2) puts the compressed length before each buffer, where the
 * Arrow format wants the uncompressed one, and other implementations refuse such files. Its rule of
 * storing a buffer raw when zstd does not shrink it is left out on purpose: a raw buffer has no
 * checksum, and single buffers are read without the table's CRC.
 */
export class ZstdFileWriter extends RecordBatchFileWriter {
  constructor() {
    super({ compressionType: CompressionType.ZSTD });
  }

  protected override _compressBodyBuffers(buffers: ArrayBufferView[]): {
    byteLength: number;
    bufferRegions: BufferRegion[];
    buffers: ArrayBufferView[];
  } {
    const bufferRegions: BufferRegion[] = [];
    // Pairs of prefix and body, which the library pads together to eight bytes.
    const parts: Uint8Array[] = [];
    let offset = 0;
    for (const buffer of buffers) {
      const raw = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
      if (raw.length === 0) {
        parts.push(raw, raw);
        bufferRegions.push(new BufferRegion(offset, 0));
        continue;
      }
      const prefix = new Uint8Array(PREFIX_BYTES);
      new DataView(prefix.buffer).setBigInt64(0, BigInt(raw.length), true);
      const body = zstdCompress(raw);
      parts.push(prefix, body);
      bufferRegions.push(new BufferRegion(offset, PREFIX_BYTES + body.length));
      offset = align8(offset + PREFIX_BYTES + body.length);
    }
    return { byteLength: offset, bufferRegions, buffers: parts };
  }
}

function align8(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}
