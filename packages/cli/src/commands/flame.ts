import { decodeFlameTable, FRAME_KINDS, type FlameTable } from '@fleetflame/profile';
import { ExportFormat } from '@fleetflame/proto/query/v1/query';
import { type Command, Option } from 'commander';
import { connect } from '../client/connection.ts';
import { coverageJson, coverageWarnings } from '../client/format.ts';
import { printWarnings, writeOutput } from '../client/output.ts';
import { addScopeOptions, type ScopeOptions, scopeOf } from '../client/scope.ts';
import { collect, parseCount } from './options.ts';

interface FlameOptions extends ScopeOptions {
  readonly format: 'folded' | 'pprof' | 'speedscope' | 'cpuprofile' | 'json';
  readonly output?: string;
  readonly by: readonly string[];
  readonly maxNodes: number;
  readonly annotate: boolean;
}

interface JsonNode {
  readonly name: string;
  readonly filename: string;
  readonly binary: string;
  /** "", one, or "several". */
  readonly buildId: string;
  /** Where the function begins; 0 is unknown. */
  readonly startLine: number;
  readonly kind: string;
  readonly total: number;
  readonly self: number;
  readonly prunedNodes: number;
  readonly children: JsonNode[];
}

/** What the server is asked for, and how it is written to a terminal. */
const FORMATS = {
  folded: { format: ExportFormat.FOLDED, output: 'text' },
  pprof: { format: ExportFormat.PPROF, output: 'binary' },
  speedscope: { format: ExportFormat.SPEEDSCOPE, output: 'json' },
  cpuprofile: { format: ExportFormat.CPUPROFILE, output: 'json' },
} as const;

/** Whole profiles as files. */
export function addFlame(program: Command): void {
  addScopeOptions(
    program.command('flame').description('the merged profile as folded stacks, pprof, or for other tools'),
    '5m',
  )
    .addOption(
      new Option(
        '--format <format>',
        'folded: one line per stack; pprof: gzip; speedscope; cpuprofile: for DevTools of Chrome; json: a tree',
      )
        .choices(['folded', 'pprof', 'speedscope', 'cpuprofile', 'json'])
        .default('folded'),
    )
    .option(
      '-o, --output <file>',
      'write here, names as they are; standard output shows control characters as \\x1b',
    )
    .option(
      '--by <label>',
      'labels whose values become the first frames; speedscope: a profile each',
      collect,
      [],
    )
    .option(
      '--max-nodes <count>',
      'json: prune to so many nodes',
      parseCount('--max-nodes', 1, 1_000_000),
      16_384,
    )
    .option('--annotate', 'folded: mark kernel _[k], inlined _[i] and JIT _[j] frames as perf does', false)
    .action(async (options: FlameOptions, command: Command) => {
      const scope = scopeOf(options, command);
      if (options.annotate && options.format !== 'folded') {
        command.error(
          'error: --annotate is for folded stacks; other formats have no place for it or say the kind in fields of their own',
        );
      }
      const client = connect(options.server).query;
      if (options.format === 'json') {
        const answer = await client.flameGraph({
          scope,
          groupBy: [...options.by],
          maxNodes: options.maxNodes,
        });
        const json = {
          unit: answer.coverage?.unit ?? '',
          total: Number(answer.total),
          root: flameJson(decodeFlameTable(answer.table)),
          pruned: { nodes: Number(answer.prunedNodes), value: Number(answer.prunedValue) },
          coverage: coverageJson(answer.coverage),
        };
        await writeOutput(`${JSON.stringify(json)}\n`, options.output, 'json');
        return;
      }
      if (options.format === 'pprof' && options.output === undefined && process.stdout.isTTY) {
        command.error('error: pprof is binary: give -o FILE, or pipe it');
      }
      const answer = await client.export({
        scope,
        format: FORMATS[options.format].format,
        groupBy: [...options.by],
        annotate: options.annotate,
      });
      await writeOutput(answer.file, options.output, FORMATS[options.format].output);
      printWarnings(coverageWarnings(answer.coverage, Number(answer.total)));
    });
}

function flameJson(table: FlameTable): JsonNode | undefined {
  const nodes: JsonNode[] = [];
  const { frames } = table;
  for (let i = 0; i < table.length; i++) {
    const frame = table.frame[i]!;
    const text = (column: Uint32Array): string => frames.strings[column[frame]!] ?? '';
    const node: JsonNode = {
      name: text(frames.name),
      filename: text(frames.filename),
      binary: text(frames.binary),
      buildId: text(frames.buildId),
      startLine: frames.startLine[frame]!,
      kind: FRAME_KINDS[frames.kind[frame]!] ?? 'unknown',
      total: table.total[i]!,
      self: table.self[i]!,
      prunedNodes: table.prunedNodes[i]!,
      children: [],
    };
    nodes.push(node);
    nodes[table.parent[i]!]?.children.push(node);
  }
  return nodes[0];
}
