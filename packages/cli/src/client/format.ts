import { formatAmount, type LossKind, lossKind, visibleText } from '@fleetflame/profile';
import { formatDuration } from './duration.ts';
import { displayWidth } from './display-width.ts';
import type { Coverage } from '@fleetflame/proto/query/v1/query';

/** `value` of a profile type in words that fit its unit; CPU time over a window becomes cores. */
export function formatValue(value: number, coverage: Coverage | undefined, windowMs: number): string {
  const unit = coverage?.unit ?? '';
  const sampleType = (coverage?.profileType ?? '').split(':')[1] ?? '';
  return formatAmount(value, { unit, sampleType, spanMs: windowMs });
}

export function formatPercent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = bytes;
  let unit = 0;
  while (Math.abs(scaled) >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 ? scaled : significant(scaled)} ${units[unit] ?? 'B'}`;
}

/** Three significant digits, never in exponents. */
export function significant(value: number): string {
  if (value === 0) return '0';
  const digits = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
  return value.toFixed(digits);
}

/** Columns, whose cells are one line each whatever they contain, padded to their widest cell; numbers are right-aligned by the caller's choice. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly boolean[],
): string {
  const shown = rows.map((row) => row.map(visibleText));
  const widths = header.map((title, column) =>
    shown.reduce((widest, row) => Math.max(widest, displayWidth(row[column] ?? '')), displayWidth(title)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const padding = ' '.repeat(width - displayWidth(cell));
        if (right[column] === true) return padding + cell;
        return column === cells.length - 1 ? cell : cell + padding;
      })
      .join('  ');
  return [header.map(visibleText), ...shown].map(line).join('\n');
}

const LOSS_WORDS: Readonly<Record<LossKind, string>> = {
  lost: 'were lost, numbers are too low',
  shortened: 'have a shortened stack',
  excluded: "were not taken, as the agents' filters say",
};

/** One line per thing that makes an answer less than exact; none when it is exact. */
export function coverageWarnings(coverage: Coverage | undefined, total: number): readonly string[] {
  if (coverage === undefined) return ['the server sent no coverage: how complete this is is unknown'];
  const warnings: string[] = [];
  if (coverage.otherTypes.length > 0)
    warnings.push(
      `shown is ${coverage.profileType}; there is also ${coverage.otherTypes.join(', ')} (--type)`,
    );
  if (!Number.isSafeInteger(total)) {
    warnings.push(
      'the sum is beyond 2^53: it is the nearest number of 53 bits, off by less than 1e-15 of itself',
    );
  }
  if (coverage.blocksAnswered < coverage.blocksExpected) {
    warnings.push(
      `${coverage.blocksExpected - coverage.blocksAnswered} of ${coverage.blocksExpected} blocks are missing, numbers are too low: ` +
        coverage.missing.map((part) => `${part.blockId}: ${part.reason}`).join('; '),
    );
  }
  for (const { cause, samples } of coverage.lost) {
    const kind = lossKind(cause);
    // Below, `stopped` says what these weigh.
    if (kind === 'shortened' && coverage.stopped.length > 0) continue;
    warnings.push(
      `${samples} ${samples === 1n ? 'sample' : 'samples'} ${LOSS_WORDS[kind]}: ${cause} (of the whole host, not only of what was asked for)`,
    );
  }
  if (coverage.unnamedSelf > 0n) {
    const worst = coverage.unnamed
      .slice(0, 3)
      .map((binary) => `${binary.binary} (${binary.reason})`)
      .join(', ');
    warnings.push(`${formatPercent(Number(coverage.unnamedSelf), total)} has no function name: ${worst}`);
  }
  if (coverage.framesTooDeep > 0n) {
    warnings.push(`${coverage.framesTooDeep} frames are deeper than a flame graph can be, and left out`);
  }
  const stopped = coverage.stopped.reduce((sum, { value }) => sum + Number(value), 0);
  if (stopped > 0) {
    const worst = coverage.stopped
      .slice(0, 3)
      .map(({ reason, binary }) => `${reason}${binary === '' ? '' : ` in ${binary}`}`)
      .join(', ');
    warnings.push(`${formatPercent(stopped, total)} has incomplete stacks: ${worst}`);
  }
  return warnings;
}

function iso(ms: bigint): string {
  return new Date(Number(ms)).toISOString();
}

/** "2026-12-01T10:00:00.000Z to 2026-12-01T10:05:00.000Z, averages over 5m": the range that was answered, and the divisor. */
export function rangeLine(coverage: Coverage | undefined, asked: { fromMs: bigint; toMs: bigint }): string {
  const { fromMs, toMs, averageOverMs } = coverage ?? { ...asked, averageOverMs: 0n };
  // A server of before says neither.
  const from = toMs > 0n ? fromMs : asked.fromMs;
  const to = toMs > 0n ? toMs : asked.toMs;
  const over = Number(averageOverMs > 0n ? averageOverMs : to - from);
  return `${iso(from)} to ${iso(to)}, averages over ${formatDuration(over)}`;
}

/** Coverage as plain JSON with numbers in place of 64-bit strings. */
export function coverageJson(coverage: Coverage | undefined): object {
  if (coverage === undefined) return {};
  return {
    fromMs: Number(coverage.fromMs),
    toMs: Number(coverage.toMs),
    averageOverMs: Number(coverage.averageOverMs),
    profileType: coverage.profileType,
    summedTypes: coverage.summedTypes,
    otherTypes: coverage.otherTypes,
    unit: coverage.unit,
    blocksExpected: coverage.blocksExpected,
    blocksAnswered: coverage.blocksAnswered,
    missing: coverage.missing.map((part) => ({
      blockId: part.blockId,
      fromMs: Number(part.fromMs),
      toMs: Number(part.toMs),
      reason: part.reason,
    })),
    bytesRead: Number(coverage.bytesRead),
    sampleRows: Number(coverage.sampleRows),
    series: coverage.series,
    newestSampleMs: Number(coverage.newestSampleMs),
    unnamedSelf: Number(coverage.unnamedSelf),
    unnamed: coverage.unnamed.map((binary) => ({
      binary: binary.binary,
      buildId: binary.buildId,
      self: Number(binary.self),
      reason: binary.reason,
    })),
    framesTooDeep: Number(coverage.framesTooDeep),
    stopped: coverage.stopped.map(({ reason, binary, value }) => ({ reason, binary, value: Number(value) })),
    lost: Object.fromEntries(coverage.lost.map((lost) => [lost.cause, Number(lost.samples)])),
  };
}
