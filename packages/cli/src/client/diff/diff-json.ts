import {
  intervalOf,
  pruneComparison,
  type Comparison,
  type FunctionDelta,
  type Significance,
} from '@fleetflame/profile';
import { coverageJson } from '../format.ts';
import { diffWarnings } from './diff-table.ts';
import type { DiffAnswer } from './diff-answer.ts';
import type { DiffSide } from './side.ts';

/** For scripts: integers in the unit of the profile type, and what they are divided by. `maxNodes`: the tree, too. */
export function diffJson(answer: DiffAnswer, maxNodes: number | undefined): object {
  const { comparison, sides, gate, profileType } = answer;
  const { per, match, basis, paired, denominators, isRate, joinedNames } = comparison;
  return {
    profileType,
    base: sideJson(sides[0]),
    new: sideJson(sides[1]),
    per,
    // Shown is value ÷ denominator: of nanoseconds per ms of time, of shares per total.
    denominators: { base: denominators[0], new: denominators[1], isRate },
    match,
    joinedNames,
    basis,
    paired,
    tests: comparison.tests,
    newFunctions: comparison.newFunctions,
    goneFunctions: comparison.goneFunctions,
    functions: answer.listed.map(functionJson),
    omittedFunctions: answer.omittedFunctions,
    perhapsRenamed: answer.renamed.map((pair) => ({
      gone: nameOf(comparison, pair.gone),
      new: nameOf(comparison, pair.new),
      overlap: pair.overlap,
    })),
    ...(maxNodes === undefined ? {} : treeJson(comparison, maxNodes)),
    warnings: diffWarnings(answer),
    ...(gate === undefined
      ? {}
      : {
          gate: {
            exitCode: gate.exitCode,
            any: gate.any,
            failures: gate.failures.map(({ condition, functions }) => ({
              condition: condition.source,
              functions: functions.map(({ name, binary }) => ({ name, binary })),
            })),
            missing: gate.missing,
            notes: gate.notes,
          },
        }),
  };
}

function sideJson({ source, facts, coverage }: DiffSide): object {
  const { total, sampleValue, spanMs, hosts, unnamed, stopped } = facts;
  return {
    source,
    total,
    samples: sampleValue > 0 ? total / sampleValue : undefined,
    sampleValue,
    spanMs,
    hosts,
    unnamedSelf: unnamed,
    stopped,
    ...(coverage === undefined ? {} : { coverage: coverageJson(coverage) }),
  };
}

function functionJson(fn: FunctionDelta): object {
  return {
    name: fn.name,
    binary: fn.binary,
    kind: fn.kind,
    presence: fn.presence,
    inliningChanged: fn.inliningChanged,
    self: fn.self,
    baseSelf: fn.baseSelf,
    total: fn.total,
    baseTotal: fn.baseTotal,
    ...(fn.selfTest === undefined ? {} : { selfTest: testJson(fn.selfTest) }),
    ...(fn.totalTest === undefined ? {} : { totalTest: testJson(fn.totalTest) }),
  };
}

function testJson(test: Significance): object {
  const { p, significant, difference, degreesOfFreedom } = test;
  return {
    p,
    significant,
    difference,
    ...intervalOf(test),
    ...(Number.isFinite(degreesOfFreedom) ? { degreesOfFreedom } : {}),
  };
}

/** Rows in the order of the tree, parents first; `parent` is a row's number here, -1 for the root's. */
function treeJson(comparison: Comparison, maxNodes: number): object {
  const { tree, nodes } = comparison.compared;
  const { kept, prunedNodes, prunedSelf, prunedBaseSelf } = pruneComparison(comparison, maxNodes);
  const rowOf = new Map(kept.map((node, row) => [node, row]));
  return {
    tree: kept.map((node) => ({
      parent: rowOf.get(tree.parent[node]!) ?? -1,
      name: nameOf(comparison, node),
      self: nodes[1].self[node]!,
      baseSelf: nodes[0].self[node]!,
      total: nodes[1].total[node]!,
      baseTotal: nodes[0].total[node]!,
    })),
    pruned: { nodes: prunedNodes, self: prunedSelf, baseSelf: prunedBaseSelf },
  };
}

function nameOf({ compared }: Comparison, node: number): string {
  return compared.matcher.shownOf(compared.tree.frame[node]!).name;
}
