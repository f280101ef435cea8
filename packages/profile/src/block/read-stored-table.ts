import type { Footer } from '@fleetflame/proto/block/v1/footer';
import type { TableName } from './arrow/columns.ts';
import { checkedTable, tablePlace } from './decode-block.ts';
import type { RangeSource } from './range-source.ts';

/** A table as it lies in the object: an Arrow IPC file. Throws corrupt_data when its checksum is wrong. */
export async function readStoredTable(
  source: RangeSource,
  footer: Footer,
  table: TableName,
): Promise<Uint8Array> {
  const { offset, size } = tablePlace(footer, table);
  return checkedTable(footer, table, await source.read(offset, size)).bytes;
}
