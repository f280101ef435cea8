import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectRouter } from '@connectrpc/connect';
import {
  binarySums,
  encodeFlameTable,
  FlameBuilder,
  FunctionLines,
  labelValue,
  layoutFlameTree,
  parseProfileType,
  parseSelector,
  resolveProfileType,
  selectSeries,
  SERIES_KINDS,
  SeriesBuilder,
  sumStacks,
  topFunctions,
  type Block,
} from '@fleetflame/profile';
import { QueryService, type MissingPartSchema, type Scope } from '@fleetflame/proto/query/v1/query';

/**
 * QueryService over blocks in memory, with the projections that the server uses: for the page's own
 * tests and for developing it. It keeps nothing and bounds nothing.
 */
export function memoryQuery(
  blocks: () => readonly Block[],
  missing: readonly MessageInitShape<typeof MissingPartSchema>[] = [],
): (router: ConnectRouter) => void {
  const scan = (scope: Scope | undefined, groupBy: readonly string[]) => {
    const builder = new FlameBuilder({ groupBy });
    const types = typesOf(blocks());
    const profileType = resolveProfileType(
      scope?.profileType ?? '',
      [...types].map(([id, total]) => ({ id, total })),
    ).id;
    const selector = parseSelector(scope?.selector ?? '');
    const timeRange = { fromMs: Number(scope?.fromMs), toMs: Number(scope?.toMs) };
    let rows = 0;
    let period: number | undefined;
    const series = new Set<number>();
    let answered = 0;
    for (const block of blocks()) {
      if (block.timeEndMs <= timeRange.fromMs || block.timeStartMs >= timeRange.toMs) continue;
      answered++;
      const selection = { series: selectSeries(block, profileType, selector), timeRange };
      const sums = sumStacks(block, selection, groupBy);
      builder.addBlock(block, sums);
      rows += sums.rows;
      for (const id of sums.series) series.add(id);
      if (sums.total !== 0) period = period === undefined || period === sums.period ? sums.period : 0;
    }
    const { unnamed } = builder;
    const coverage = {
      blocksExpected: answered + missing.length,
      blocksAnswered: answered,
      missing: [...missing],
      bytesRead: BigInt(rows * 24),
      newestSampleMs: BigInt(newestSampleMs(blocks())),
      unnamedSelf: BigInt(unnamed.reduce((sum, entry) => sum + entry.self, 0)),
      unnamed: unnamed.map((entry) => ({ ...entry, self: BigInt(entry.self) })),
      lost: lostOf(blocks()),
      profileType,
      unit: parseProfileType(profileType).sampleUnit,
      sampleRows: BigInt(rows),
      series: series.size,
      stopped: builder.stopped.map((entry) => ({ ...entry, value: BigInt(entry.value) })),
    };
    return { builder, tree: builder.tree, coverage, period: period ?? 0, profileType, selector, timeRange };
  };

  return (router) =>
    router.service(QueryService, {
      flameGraph(request) {
        const { builder, tree, coverage, period } = scan(request.scope, request.groupBy);
        const maxNodes = request.maxNodes === 0 ? 16_384 : request.maxNodes;
        const { table, total, prunedNodes, prunedValue } = layoutFlameTree(tree, {
          maxNodes,
          focus: request.focus,
          builds: builder.builds,
        });
        return {
          table: encodeFlameTable(table),
          total: BigInt(total),
          prunedNodes: BigInt(prunedNodes),
          prunedValue: BigInt(prunedValue),
          coverage,
          period: BigInt(period),
        };
      },
      top(request) {
        const { builder, tree, coverage } = scan(request.scope, []);
        const top = topFunctions(tree, request.limit === 0 ? 1000 : request.limit, builder.builds);
        return {
          total: BigInt(top.total),
          functions: top.functions.map((f) => ({ ...f, self: BigInt(f.self), total: BigInt(f.total) })),
          omittedFunctions: BigInt(top.omittedFunctions),
          omittedSelf: BigInt(top.omittedSelf),
          coverage,
        };
      },
      binaries(request) {
        const { builder, coverage } = scan(request.scope, []);
        const all = binarySums(builder);
        return {
          total: BigInt(all.reduce((sum, { self }) => sum + self, 0)),
          binaries: all.map((entry) => ({
            binary: entry.binary,
            buildIds: [...entry.buildIds],
            self: BigInt(entry.self),
            unnamedSelf: BigInt(entry.unnamedSelf),
            stopped: BigInt(entry.stopped),
          })),
          coverage,
        };
      },
      functionDetails(request) {
        const { coverage, profileType, selector, timeRange } = scan(request.scope, []);
        const found = new FunctionLines(request);
        for (const block of blocks()) {
          const selection = { series: selectSeries(block, profileType, selector), timeRange };
          found.addBlock(block, sumStacks(block, selection, []));
        }
        return {
          self: BigInt(found.self),
          total: BigInt(found.total),
          inlinedSelf: BigInt(found.inlinedSelf),
          lines: found.lines.map(({ line, self, total }) => ({
            line,
            self: BigInt(self),
            total: BigInt(total),
          })),
          builds: found.builds.map((b) => ({ ...b, self: BigInt(b.self), total: BigInt(b.total) })),
          coverage,
        };
      },
      series(request) {
        const { coverage, profileType, selector, timeRange } = scan(request.scope, []);
        const builder = new SeriesBuilder({
          ...timeRange,
          stepMs: Number(request.stepMs),
          groupBy: request.groupBy,
          maxGroups: 1000,
        });
        for (const block of blocks()) {
          if (block.timeEndMs <= timeRange.fromMs || block.timeStartMs >= timeRange.toMs) continue;
          builder.addBlock(block, { series: selectSeries(block, profileType, selector) });
        }
        return {
          timesMs: [...builder.timesMs].map(BigInt),
          groups: builder.finish(request.limit === 0 ? 1000 : request.limit).map((group) => ({
            labels: Object.fromEntries(request.groupBy.map((name, i) => [name, group.values[i] ?? ''])),
            values: [...group.sums].map(BigInt),
            total: BigInt(group.total),
            rest: group.rest,
          })),
          coverage,
        };
      },
      labelNames() {
        const names = new Set<string>();
        for (const { series, strings } of blocks()) {
          for (const name of series.labelName) names.add(strings.at(name));
        }
        return { names: [...names].toSorted() };
      },
      labelValues(request) {
        const { selector, timeRange, profileType } = scan(request.scope, []);
        const totals = new Map<string, number>();
        for (const block of blocks()) {
          const chosen = selectSeries(block, profileType, selector);
          for (let row = 0; row < block.series.length; row++) {
            if (chosen[row] === 0) continue;
            const only = new Uint8Array(block.series.length);
            only[row] = 1;
            const { total } = sumStacks(block, { series: only, timeRange }, []);
            const value = labelValue(block, row, request.name);
            if (total !== 0) totals.set(value, (totals.get(value) ?? 0) + total);
          }
        }
        const sorted = [...totals].toSorted((a, b) => b[1] - a[1]);
        const limit = request.limit === 0 ? 1000 : request.limit;
        return {
          values: sorted.slice(0, limit).map(([value, total]) => ({ value, total: BigInt(total) })),
          omitted: BigInt(Math.max(0, sorted.length - limit)),
        };
      },
      profileTypes(request) {
        const inRange = blocks().filter(
          (block) => block.timeEndMs > Number(request.fromMs) && block.timeStartMs < Number(request.toMs),
        );
        return {
          types: [...typesOf(inRange)].map(([id, total]) => ({
            id,
            sampleType: parseProfileType(id).sampleType,
            unit: parseProfileType(id).sampleUnit,
            total: BigInt(total),
            kinds: kindsOf(inRange, id),
          })),
          coverage: { newestSampleMs: BigInt(newestSampleMs(blocks())) },
        };
      },
    });
}

function typesOf(blocks: readonly Block[]): Map<string, number> {
  const types = new Map<string, number>();
  for (const { series, samples, strings } of blocks) {
    for (let row = 0; row < samples.length; row++) {
      const id = strings.at(series.profileType[samples.series[row]!]!);
      types.set(id, (types.get(id) ?? 0) + samples.total[row]!);
    }
  }
  return types;
}

function kindsOf(blocks: readonly Block[], id: string): string[] {
  const found = new Set<number>();
  for (const { series, strings } of blocks) {
    for (let row = 0; row < series.length; row++) {
      if (strings.at(series.profileType[row]!) === id) found.add(series.kind[row]!);
    }
  }
  return SERIES_KINDS.filter((_, kind) => found.has(kind));
}

function newestSampleMs(blocks: readonly Block[]): number {
  let newest = 0;
  for (const { samples, timeStartMs } of blocks) {
    for (const time of samples.time) newest = Math.max(newest, timeStartMs + time);
  }
  return newest;
}

function lostOf(blocks: readonly Block[]): { cause: string; samples: bigint }[] {
  const lost = new Map<string, number>();
  for (const { losses } of blocks) {
    for (const [cause, samples] of losses) lost.set(cause, (lost.get(cause) ?? 0) + samples);
  }
  return [...lost].map(([cause, samples]) => ({ cause, samples: BigInt(samples) }));
}
