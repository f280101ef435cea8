import type { MessageInitShape } from '@bufbuild/protobuf';
import type { BinaryStatusSchema } from '@fleetflame/proto/symbols/v1/symbols';
import type { BinaryRecord } from './binary-record.ts';
import type { UploadState } from './uploads/uploads.ts';

/** Of a sender's name: enough to tell senders apart. */
const SHOWN_DIGITS = 8;

/** What people are told of a binary; undefined when there is nothing to tell. */
export function binaryStatus(
  buildId: string,
  record: BinaryRecord | undefined,
  upload: UploadState | undefined,
  debuginfod = '',
): MessageInitShape<typeof BinaryStatusSchema> | undefined {
  if (record === undefined && upload === undefined && debuginfod === '') return undefined;
  return {
    buildId,
    debuginfod,
    fileName: record?.fileName ?? upload?.fileName ?? '',
    ...(record === undefined
      ? {}
      : {
          symbols: BigInt(record.symbols),
          source: record.source,
          problem: record.problem,
          lines: BigInt(record.lines),
          inlines: BigInt(record.inlines),
          tableBytes: BigInt(record.tableBytes),
          uploadBytes: BigInt(record.uploadBytes),
          storedMs: BigInt(record.uploadedMs),
          origin: record.origin,
          missingSupplementary: record.missingSupplement,
          // Who knows the whole name can send under it.
          uploader: record.uploader.slice(0, SHOWN_DIGITS),
          content: record.content,
          replaced: record.replaced,
        }),
    ...(upload === undefined
      ? {}
      : {
          receivingBytes: BigInt(upload.receivedBytes),
          receivingTotalBytes: BigInt(upload.totalBytes),
          converting: upload.converting,
        }),
  };
}
