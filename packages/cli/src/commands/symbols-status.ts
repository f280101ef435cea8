import type { BinaryStatus } from '@fleetflame/proto/symbols/v1/symbols';
import { connectSymbols } from '../client/connection.ts';
import { formatBytes, formatPercent, formatTable } from '../client/format.ts';
import { printJson, printLine } from '../client/output.ts';

/** What the server knows of these binaries, or of all. */
export async function showStatus(
  buildIds: readonly string[],
  options: { readonly server: string; readonly json?: boolean },
): Promise<void> {
  const answer = await connectSymbols(options.server).status({ buildIds: [...buildIds] });
  const binaries = answer.binaries.toSorted((a, b) => (a.fileName < b.fileName ? -1 : 1));
  if (options.json === true) {
    printJson(binaries.map(statusJson));
    return;
  }
  const unknown = buildIds.filter((id) => !binaries.some((one) => one.buildId === id));
  if (binaries.length === 0 && unknown.length === 0) printLine('no symbols yet');
  if (binaries.length > 0) {
    printLine(
      formatTable(
        ['file', 'build id', 'source', 'functions', 'lines', 'inlined', 'size', 'stored', 'from', 'state'],
        binaries.map((one) => [
          one.fileName,
          one.buildId,
          one.source || '-',
          one.symbols.toLocaleString('en-US'),
          one.lines.toLocaleString('en-US'),
          one.inlines.toLocaleString('en-US'),
          formatBytes(Number(one.tableBytes)),
          one.storedMs === 0n ? '-' : new Date(Number(one.storedMs)).toISOString().slice(0, 19),
          [one.origin || '-', one.uploader].join(' ').trim(),
          stateOf(one),
        ]),
        [false, false, false, true, true, true, true],
      ),
    );
  }
  for (const id of unknown) printLine(`${id}: nothing is known of it`);
}

/** Plain JSON with numbers in place of 64-bit integers. */
export function statusJson(status: BinaryStatus): object {
  return {
    buildId: status.buildId,
    fileName: status.fileName,
    source: status.source,
    symbols: Number(status.symbols),
    lines: Number(status.lines),
    inlines: Number(status.inlines),
    tableBytes: Number(status.tableBytes),
    uploadBytes: Number(status.uploadBytes),
    storedMs: Number(status.storedMs),
    origin: status.origin,
    uploader: status.uploader,
    content: status.content,
    replaced: status.replaced,
    problem: status.problem,
    missingSupplementary: status.missingSupplementary,
    receivingBytes: Number(status.receivingBytes),
    receivingTotalBytes: Number(status.receivingTotalBytes),
    converting: status.converting,
    debuginfod: status.debuginfod,
  };
}

function stateOf(status: BinaryStatus): string {
  const parts: string[] = [];
  if (status.converting) parts.push('being converted');
  else if (status.receivingTotalBytes > 0n) {
    const share = formatPercent(Number(status.receivingBytes), Number(status.receivingTotalBytes));
    parts.push(`upload under way: ${share} of ${formatBytes(Number(status.receivingTotalBytes))}`);
  }
  if (status.problem !== '') parts.push(status.problem);
  if (status.missingSupplementary !== '') {
    parts.push(
      `names are missing: push the file with build id ${status.missingSupplementary}, then this one again`,
    );
  }
  if (status.debuginfod !== '') parts.push(`debuginfod: ${status.debuginfod}`);
  return parts.length === 0 ? 'ok' : parts.join('; ');
}
