import type { BinaryStatus } from '@fleetflame/proto/symbols/v1/symbols';
import { counted, percent } from '../quantity/format.ts';

/** good: lines and inlined calls. fair: functions. poor: some functions. none: nothing. */
export type SymbolQuality = 'good' | 'fair' | 'poor' | 'none' | 'waiting';

export interface SymbolStatus {
  readonly quality: SymbolQuality;
  /** What is there. */
  readonly title: string;
  /** Counts, and where it came from; '' for nothing to say. */
  readonly detail: string;
  /** What is wrong, or would make it better; '' for nothing. */
  readonly problem: string;
}

const SOURCES: Readonly<Record<string, { readonly quality: SymbolQuality; readonly title: string }>> = {
  dwarf: { quality: 'good', title: 'functions, lines, inlined calls' },
  gopclntab: { quality: 'good', title: 'functions and lines (Go)' },
  symtab: { quality: 'fair', title: 'functions (symbol table)' },
  dynsym: { quality: 'poor', title: 'only exported functions' },
  supplementary: { quality: 'none', title: 'part of other debug files' },
  none: { quality: 'none', title: 'no symbols' },
};

/** What the server says of a binary, in words; undefined: it does not know it. */
export function symbolStatus(status: BinaryStatus | undefined): SymbolStatus {
  if (status === undefined) {
    return { quality: 'none', title: 'not on the server', detail: '', problem: '' };
  }
  const problem = [
    status.problem,
    status.missingSupplementary === ''
      ? ''
      : `Its debug file refers to another one that is missing: build id ${status.missingSupplementary}.`,
  ]
    .filter((text) => text !== '')
    .join(' ');
  const underWay = progressOf(status);
  const source = SOURCES[status.source];
  if (source === undefined || status.source === 'none') {
    const title = underWay !== '' ? underWay : (source?.title ?? (status.source || 'nothing yet'));
    return { quality: underWay === '' ? 'none' : 'waiting', title, detail: debuginfod(status), problem };
  }
  const counts = [
    counted(status.symbols, 'function'),
    status.lines > 0n ? counted(status.lines, 'line row') : '',
    status.inlines > 0n ? counted(status.inlines, 'inlined call') : '',
    ['', 'upload', 'agent'].includes(status.origin) ? '' : `from ${status.origin}`,
    underWay,
  ];
  return {
    ...source,
    detail: counts.filter((text) => text !== '').join(' · '),
    problem,
  };
}

function progressOf(status: BinaryStatus): string {
  if (status.converting) return 'being converted';
  if (status.receivingTotalBytes > 0n) {
    return `${percent(Number(status.receivingBytes), Number(status.receivingTotalBytes))} received`;
  }
  if (status.debuginfod === 'waiting' || status.debuginfod === 'fetching') return 'debuginfod is asked';
  return '';
}

function debuginfod(status: BinaryStatus): string {
  if (status.debuginfod === 'not_found') return 'no debuginfod server has it';
  return status.debuginfod.startsWith('failed') ? `debuginfod: ${status.debuginfod}` : '';
}
