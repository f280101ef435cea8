import { RowReader } from './row-reader.ts';
import type { SourceColumns } from './source-columns.ts';

/** Inlined calls in each other: whoever shows a chain need not expect more. The converter makes 128 at most. */
export const MAX_CALL_DEPTH = 256;
const MAX_ADDRESS = 0xffff_ffff;

/** What is wrong with the columns, or undefined. Reads every row once: 20 ns each. */
export function checkSource(
  source: SourceColumns,
  functionCount: number,
  fileCount: number,
): string | undefined {
  return checkCalls(source, functionCount, fileCount) ?? checkRows(source, fileCount);
}

function checkCalls(source: SourceColumns, functionCount: number, fileCount: number): string | undefined {
  const { callFunctions, callParents, callFiles } = source;
  const depths = new Uint16Array(callFunctions.length);
  for (let call = 0; call < callFunctions.length; call++) {
    if (callFunctions[call]! >= functionCount) return `call ${call} names a function that is not there`;
    if (callFiles[call]! > fileCount) return `call ${call} names a file that is not there`;
    const parent = callParents[call]!;
    if (parent > call) return `call ${call} is said to happen in a later one`;
    depths[call] = parent === 0 ? 1 : depths[parent - 1]! + 1;
    if (depths[call]! > MAX_CALL_DEPTH)
      return `more than ${MAX_CALL_DEPTH} calls are inlined into each other`;
  }
  return undefined;
}

function checkRows(source: SourceColumns, fileCount: number): string | undefined {
  const { blockStarts, blockOffsets, rows, callFunctions } = source;
  const reader = new RowReader();
  if (blockOffsets[0] !== 0 || blockOffsets[blockStarts.length] !== rows.length)
    return 'blocks of lines do not cover them';
  for (let block = 0; block < blockStarts.length; block++) {
    const end = blockOffsets[block + 1]!;
    const start = blockStarts[block]!;
    if (end <= blockOffsets[block]!) return `block ${block} of lines is empty`;
    if (end > rows.length) return `block ${block} of lines ends outside`;
    if (block > 0 && start <= blockStarts[block - 1]!)
      return `block ${block} of lines does not follow the one before`;
    reader.begin(rows, blockOffsets[block]!, end, start);
    while (reader.next()) {
      if (reader.call > callFunctions.length) return `block ${block} of lines names a call that is not there`;
      if (reader.file > fileCount) return `block ${block} of lines names a file that is not there`;
    }
    if (!reader.ended) return `block ${block} of lines runs into the next one`;
    if (reader.address > MAX_ADDRESS) return `block ${block} of lines reaches beyond 4 GiB`;
  }
  return undefined;
}
