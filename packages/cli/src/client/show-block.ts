/** A block for people, and for scripts. */
import { type TableSize, visibleText } from '@fleetflame/profile';
import type { Footer } from '@fleetflame/proto/block/v1/footer';
import type { Block } from '@fleetflame/proto/store/v1/blocks';
import type { BlockObject } from './block-object.ts';
import { formatBytes, formatTable, significant } from './format.ts';
import { printLine } from './output.ts';

export function blockJson(block: Block): object {
  return {
    id: block.id,
    level: block.level,
    timeMinMs: Number(block.timeMinMs),
    timeMaxMs: Number(block.timeMaxMs),
    sizeBytes: Number(block.sizeBytes),
    rows: Number(block.rows),
    ...(block.quarantineReason === ''
      ? {}
      : { quarantine: { reason: block.quarantineReason, sinceMs: Number(block.quarantinedMs) } }),
  };
}

export function footerJson(object: BlockObject, footer: Footer, tables: readonly TableSize[]): object {
  return {
    block: object.name,
    ...(object.row === undefined ? {} : { catalog: blockJson(object.row) }),
    sizeBytes: object.size,
    formatVersion: footer.formatVersion,
    timeStartMs: Number(footer.timeStartMs),
    timeEndMs: Number(footer.timeEndMs),
    tables,
    datasets: footer.datasets.map((dataset) => ({
      profileType: dataset.profileType,
      serviceName: dataset.serviceName,
      series: dataset.seriesCount,
      sampleRows: dataset.sampleCount,
      timeMinMs: Number(dataset.timeMinMs),
      timeMaxMs: Number(dataset.timeMaxMs),
      total: Number(dataset.total),
    })),
    losses: Object.fromEntries(footer.losses.map(({ cause, samples }) => [cause, Number(samples)])),
  };
}

export function printFooter(object: BlockObject, footer: Footer, tables: readonly TableSize[]): void {
  const { row } = object;
  printLine(`${object.name}${row === undefined ? '' : `, level ${row.level}`}, ${formatBytes(object.size)}`);
  printLine(`${iso(footer.timeStartMs)} to ${iso(footer.timeEndMs)}, format version ${footer.formatVersion}`);
  if (row !== undefined && row.quarantineReason !== '') {
    printLine(`quarantined since ${iso(row.quarantinedMs)}: ${visibleText(row.quarantineReason)}`);
  }
  printLine('');
  const lines: string[][] = [];
  for (const { table, rows, storedBytes, columns } of tables) {
    lines.push([
      table,
      rows.toLocaleString('en-US'),
      formatBytes(storedBytes),
      '',
      perRow(storedBytes, rows),
    ]);
    for (const column of columns) {
      lines.push([
        `  ${column.column}`,
        '',
        formatBytes(column.storedBytes),
        formatBytes(column.inflatedBytes),
        perRow(column.storedBytes, rows),
      ]);
    }
  }
  printLine(formatTable(['table', 'rows', 'stored', 'inflated', 'bytes/row'], lines, RIGHT_BUT_FIRST));
  printLine('');
  const datasets = footer.datasets.map((dataset) => [
    dataset.profileType,
    dataset.serviceName === '' ? '(none)' : dataset.serviceName,
    String(dataset.seriesCount),
    dataset.sampleCount.toLocaleString('en-US'),
    dataset.total.toLocaleString('en-US'),
  ]);
  const header = ['profile type', 'service_name', 'series', 'sample rows', 'sum'];
  printLine(formatTable(header, datasets, [false, false, true, true, true]));
  for (const { cause, samples } of footer.losses) printLine(`${samples} samples: ${visibleText(cause)}`);
}

const RIGHT_BUT_FIRST = [false, true, true, true, true];

function perRow(bytes: number, rows: number): string {
  return rows === 0 ? '' : significant(bytes / rows);
}

function iso(ms: bigint): string {
  return new Date(Number(ms)).toISOString();
}
