import { FleetflameError, measureTables, readFooter, readBlock } from '@fleetflame/profile';
import type { Block } from '@fleetflame/proto/store/v1/blocks';
import { type Command, Option } from 'commander';
import { openBlockObject } from '../client/block-object.ts';
import { connectBlocks } from '../client/connection.ts';
import { formatBytes, formatTable } from '../client/format.ts';
import { listBlocks } from '../client/list-blocks.ts';
import { printJson, printLine, printWarnings, writeOutput } from '../client/output.ts';
import { addRangeOptions, serverOption, type RangeOptions, rangeOf } from '../client/scope.ts';
import { blockJson, footerJson, printFooter } from '../client/show-block.ts';
import { parseCount } from './options.ts';
import { addVerify } from './blocks-verify.ts';

interface ListOptions extends RangeOptions {
  readonly level?: number;
  readonly quarantined?: boolean;
  readonly limit: number;
  readonly server: string;
  readonly json?: boolean;
}

/** What is in the store, block by block. */
export function addBlocks(program: Command): void {
  const blocks = program
    .command('blocks')
    .description('the blocks of a store: list, inspect, verify, export')
    .addHelpText(
      'after',
      '\nExamples:\n  fleetflame blocks list --last 1d\n  fleetflame blocks verify --last 7d\n  fleetflame blocks export 019a0b1c2d3e-0123456789abcdef samples --format parquet -o samples.parquet',
    );
  addRangeOptions(blocks.command('list').description('blocks with a sample in the range, by time'), '1d')
    .option('--level <level>', 'only of this level; 0: as ingest wrote them', parseCount('--level', 0, 99))
    .option('--quarantined', 'only those that cannot be read')
    .option('--limit <count>', 'at most so many', parseCount('--limit', 1, 1_000_000), 1000)
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(list);
  blocks
    .command('inspect')
    .description('what a block holds: tables, columns and their sizes, datasets and their sums')
    .argument('<block>', 'id of a block, or path of a file')
    .option('--json', 'for scripts')
    .addOption(serverOption())
    .action(inspect);
  addVerify(blocks);
  blocks
    .command('export')
    .description('one table of a block as a file for other programs')
    .argument('<block>', 'id of a block, or path of a file')
    .argument('<table>', 'series, samples, stacks, locations, functions or mappings')
    .addOption(
      new Option('--format <format>', 'plain Arrow, or Parquet')
        .choices(['arrow', 'parquet'])
        .default('arrow'),
    )
    .requiredOption('-o, --output <file>', 'where to write it; - for standard output')
    .addOption(serverOption())
    .action(exportOne);
}

async function list(options: ListOptions, command: Command): Promise<void> {
  const client = connectBlocks(options.server);
  const found: Block[] = [];
  let more = false;
  for await (const block of listBlocks(client, rangeOf(options, command))) {
    if (options.level !== undefined && block.level !== options.level) continue;
    if (options.quarantined === true && block.quarantineReason === '') continue;
    if (found.length === options.limit) {
      more = true;
      break;
    }
    found.push(block);
  }
  if (options.json === true) {
    printJson({ blocks: found.map(blockJson), more });
    return;
  }
  if (found.length === 0) printLine('no blocks in this range');
  else {
    const rows = found.map((block) => [
      block.id,
      String(block.level),
      iso(block.timeMinMs),
      iso(block.timeMaxMs),
      formatBytes(Number(block.sizeBytes)),
      block.rows.toLocaleString('en-US'),
      block.quarantineReason,
    ]);
    const header = [
      'block',
      'level',
      'first sample',
      'last sample',
      'size',
      'sample rows',
      'quarantined because',
    ];
    printLine(formatTable(header, rows, [false, true, false, false, true, true]));
    const bytes = found.reduce((sum, block) => sum + Number(block.sizeBytes), 0);
    printLine(`${found.length} blocks, ${formatBytes(bytes)}`);
  }
  if (more) printWarnings([`there are more than ${options.limit} blocks: --limit or a shorter range`]);
}

async function inspect(
  name: string,
  options: { readonly server: string; readonly json?: boolean },
): Promise<void> {
  const object = await openBlockObject(name, () => connectBlocks(options.server));
  const footer = await readFooter(object);
  const tables = await measureTables(object, footer);
  if (options.json === true) printJson(footerJson(object, footer, tables));
  else printFooter(object, footer, tables);
}

async function exportOne(
  name: string,
  tableName: string,
  options: { readonly server: string; readonly format: 'arrow' | 'parquet'; readonly output: string },
): Promise<void> {
  const { EXPORTED_TABLES } = await import('../client/block-columns.ts');
  const table = EXPORTED_TABLES.find((known) => known === tableName);
  if (table === undefined) {
    throw new FleetflameError(
      'invalid_input',
      `there is no table "${tableName}": choose from ${EXPORTED_TABLES.join(', ')}`,
    );
  }
  const object = await openBlockObject(name, () => connectBlocks(options.server));
  const { block } = await readBlock(object);
  // Loaded when needed: other verbs should not wait for it.
  const { exportTable } = await import('../client/export-table.ts');
  const bytes = await exportTable(block, table, options.format);
  await writeOutput(bytes, options.output === '-' ? undefined : options.output, 'binary');
}

function iso(ms: bigint): string {
  return new Date(Number(ms)).toISOString();
}
