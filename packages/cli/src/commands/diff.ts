import {
  comparabilityWarnings,
  compareProfiles,
  encodeFoldedComparison,
  judge,
  MATCH_MODES,
  NORMALISATIONS,
  parseCondition,
  perhapsRenamed,
  type Comparison,
  type Condition,
  type MatchMode,
  type Per,
} from '@fleetflame/profile';
import { type Command, Option } from 'commander';
import { connect } from '../client/connection.ts';
import type { DiffAnswer } from '../client/diff/diff-answer.ts';
import { diffJson } from '../client/diff/diff-json.ts';
import { diffMarkdown } from '../client/diff/diff-markdown.ts';
import { diffTable, diffWarnings } from '../client/diff/diff-table.ts';
import { isScopeArgument, parseScopeArgument } from '../client/diff/scope-argument.ts';
import { ShownValues } from '../client/diff/shown-values.ts';
import { sideOfFile } from '../client/diff/side-of-file.ts';
import { sideOfServer } from '../client/diff/side-of-server.ts';
import { alignUnits, guessSampleValue, type DiffSide } from '../client/diff/side.ts';
import { printWarnings, writeOutput } from '../client/output.ts';
import { addRangeOptions, rangeOf, serverOption, type RangeOptions } from '../client/scope.ts';
import { collect, parseCount } from './options.ts';

interface DiffOptions extends RangeOptions {
  readonly type: string;
  readonly server: string;
  readonly per: Per;
  readonly match: MatchMode;
  readonly limit: number;
  readonly maxNodes?: number;
  readonly format?: Format;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly output?: string;
  readonly failIf: readonly string[];
  readonly any: boolean;
  readonly onMissing: 'pass' | 'fail';
}

const FORMATS = ['table', 'json', 'markdown', 'folded'] as const;
type Format = (typeof FORMATS)[number];

/** How the command ends; 1, as for all commands, when nothing could be asked. */
const EXIT = { passed: 0, usage: 2, gateFailed: 3, tooLittle: 4 } as const;

/** What changed between two profiles, and whether that may pass. */
export function addDiff(program: Command): void {
  const command = program
    .command('diff')
    .description('NEW minus BASE: what changed between two profiles, and whether it may pass')
    .argument(
      '<base>',
      'a file that push takes (- is standard input), or a scope: cpu{service_version="v411"}',
    )
    .argument('<new>', 'the same; scopes may say [1h] and offset 7d')
    // Told from failures of the gate and of asking.
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.passed : EXIT.usage));
  addRangeOptions(command, '5m')
    .option('--type <profile type>', 'of both sides: a whole profile type, or a sample type such as cpu', '')
    .addOption(
      new Option('--per <what>', 'time: rates, so that windows of different length compare; total: shares')
        .choices(NORMALISATIONS)
        .default('time'),
    )
    .addOption(
      new Option(
        '--match <how>',
        'names: without what builds invent (hashes, clones, versions); exact: as they are',
      )
        .choices(MATCH_MODES)
        .default('names'),
    )
    .option('--limit <count>', 'how many functions', parseCount('--limit', 1, 1_000_000), 30)
    .option(
      '--max-nodes <count>',
      'json: the tree, too, pruned to so many nodes',
      parseCount('--max-nodes', 1, 10_000_000),
    )
    .addOption(
      new Option('--format <format>', 'folded: both columns of each stack, exact and unpruned')
        .choices(FORMATS)
        .default('table'),
    )
    .option('--json', 'for scripts: --format json')
    .option('--markdown', 'for a pull request: --format markdown')
    .option('-o, --output <file>', 'write here, names as they are')
    .option(
      '--fail-if <condition>',
      'exit 3 if it holds of a function: self, total, new, gone > number of %, points, cores, seconds, …; joined by and',
      collect,
      [],
    )
    .option('--any', 'changes count for --fail-if that may be chance, too', false)
    .addOption(
      new Option('--on-missing <how>', 'with too few samples or missing data --fail-if exits 4, or passes')
        .choices(['pass', 'fail'])
        .default('fail'),
    )
    .addOption(serverOption())
    .addHelpText(
      'after',
      `
Exit codes: 0 passed, 1 could not ask, 2 wrong usage, 3 the gate failed, 4 too little to judge.

Examples:
  fleetflame diff old.pb.gz new.pb.gz --fail-if 'self > 10 %'
  fleetflame diff 'cpu{service_version="v411"}' 'cpu{service_version="v412"}' --last 1h --per total
  fleetflame diff 'cpu{service_name="api"} offset 7d' 'cpu{service_name="api"}' --last 6h`,
    )
    .action(run);
}

async function run(base: string, next: string, options: DiffOptions, command: Command): Promise<void> {
  const format = formatOf(options, command);
  if (base === '-' && next === '-') command.error('error: only one side can be standard input');
  // Before anything is read: what is wrong with the question costs nothing.
  const conditions = options.failIf.map(parseCondition);
  const [a, b] = withSampleValues(alignUnits(...(await readSides([base, next], options, command))));
  const comparison = compareProfiles(a.profile, b.profile, {
    per: options.per,
    match: options.match,
    spanMs: [a.facts.spanMs, b.facts.spanMs],
    sampleValue: [a.facts.sampleValue, b.facts.sampleValue],
  });
  const answer = answerOf([a, b], comparison, conditions, options);
  await write(answer, format, options);
  if (answer.gate !== undefined) process.exitCode = answer.gate.exitCode;
}

function formatOf(options: DiffOptions, command: Command): Format {
  const wanted = new Set<Format>();
  if (command.getOptionValueSource('format') === 'cli' && options.format !== undefined)
    wanted.add(options.format);
  if (options.json === true) wanted.add('json');
  if (options.markdown === true) wanted.add('markdown');
  if (wanted.size > 1) command.error(`error: give one format, not ${[...wanted].join(' and ')}`);
  const [format = 'table'] = wanted;
  if (options.maxNodes !== undefined && format !== 'json') command.error('error: --max-nodes is for --json');
  return format;
}

async function readSides(
  [base, next]: readonly [string, string],
  options: DiffOptions,
  command: Command,
): Promise<readonly [DiffSide, DiffSide]> {
  const range = rangeOf(options, command);
  const read = async (argument: string): Promise<DiffSide> =>
    isScopeArgument(argument)
      ? await sideOfServer(
          argument,
          parseScopeArgument(argument, range, options.type),
          connect(options.server),
        )
      : await sideOfFile(argument, options.type);
  // One after the other: an answer may be large.
  return [await read(base), await read(next)];
}

/** Where what one sample weighs is not said, or is said to be one of a count that cannot be one. */
function withSampleValues([base, next]: readonly [DiffSide, DiffSide]): readonly [DiffSide, DiffSide] {
  const unsaid = [base, next].filter(({ facts }) => facts.sampleValue <= 1);
  if (unsaid.length === 0) return [base, next];
  const sampleValue = guessSampleValue(unsaid.map(({ profile }) => profile.tree));
  if (sampleValue === 0) return [base, next];
  const said = (side: DiffSide): DiffSide =>
    unsaid.includes(side)
      ? {
          ...side,
          facts: { ...side.facts, sampleValue },
          notes: [
            ...side.notes,
            `${side.source}: all values are multiples of ${sampleValue}: taken for the period`,
          ],
        }
      : side;
  return [said(base), said(next)];
}

function answerOf(
  sides: readonly [DiffSide, DiffSide],
  comparison: Comparison,
  conditions: readonly Condition[],
  { any, onMissing, limit, per }: DiffOptions,
): DiffAnswer {
  const facts = [sides[0].facts, sides[1].facts] as const;
  const { profileType } = facts[1];
  const judged = conditions.length === 0 ? undefined : judge(comparison, facts, { conditions, any });
  const missing = judged !== undefined && judged.missing.length > 0 && onMissing === 'fail';
  const failed = judged !== undefined && judged.failures.length > 0;
  const exitCode = missing ? EXIT.tooLittle : failed ? EXIT.gateFailed : EXIT.passed;
  const failing = judged?.failures.flatMap(({ functions }) => functions) ?? [];
  const listed = [...new Set([...failing, ...comparison.functions])].slice(0, limit);
  return {
    sides,
    comparison,
    profileType,
    shown: new ShownValues(comparison, profileType),
    listed,
    omittedFunctions: comparison.functions.length - listed.length,
    renamed: perhapsRenamed(comparison.compared).slice(0, limit),
    warnings: comparabilityWarnings(...facts, per),
    gate: judged && { ...judged, exitCode, any },
  };
}

async function write(answer: DiffAnswer, format: Format, { output, maxNodes }: DiffOptions): Promise<void> {
  switch (format) {
    case 'json':
      await writeOutput(`${JSON.stringify(diffJson(answer, maxNodes), undefined, 2)}\n`, output, 'json');
      return;
    case 'markdown':
      await writeOutput(diffMarkdown(answer), output, 'text');
      return;
    case 'folded':
      await writeOutput(encodeFoldedComparison(answer.comparison.compared), output, 'text');
      break;
    case 'table':
      await writeOutput(`${diffTable(answer)}\n`, output, 'text');
  }
  printWarnings(diffWarnings(answer));
}
