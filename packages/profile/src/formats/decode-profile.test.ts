import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { validateBlock } from '../block/validate-block.ts';
import { FleetflameError } from '../errors.ts';
import { describeBlock } from '../testing/index.ts';
import { decodeProfile } from './decode-profile.ts';
import type { DecodeAnyOptions } from './decode-profile.ts';
import { encodeFolded } from './folded/encode-folded.ts';
import { EXAMPLES } from './testing/example-files.ts';
import { jfrFile } from './testing/jfr-file.ts';

const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const NOW = 1_700_000_000_000;

function decode(file: Uint8Array | string, options: DecodeAnyOptions = {}) {
  const bytes = typeof file === 'string' ? new TextEncoder().encode(file) : file;
  const decoded = decodeProfile(bytes, { arrivalMs: NOW, ...options });
  validateBlock(decoded.block);
  return decoded;
}

/** Folded text of a type, without the last line break. */
function folded(
  file: Uint8Array | string,
  type: string,
  options: DecodeAnyOptions & { annotate?: boolean } = {},
): string {
  const { annotate, ...rest } = options;
  return encodeFolded(decode(file, rest).block, { profileType: type, annotate }).trimEnd();
}

function changes(file: Uint8Array | string, options?: DecodeAnyOptions): Record<string, number> {
  return Object.fromEntries(decode(file, options).changes.map(({ what, count }) => [what, count]));
}

describe.each(Object.entries(EXAMPLES))('%s', (format, { file, totals, stacks }) => {
  test('is known by its content, plain, in gzip and in zstd', () => {
    for (const bytes of [file, gzipSync(file), zstdCompressSync(file), gzipSync(gzipSync(file))]) {
      expect(decode(bytes).format).toBe(format);
    }
  });

  test('gives its totals and stacks', () => {
    const decoded = decode(file);
    expect([...decoded.totals]).toEqual(totals);
    for (const [type, text] of Object.entries(stacks)) expect(folded(file, type)).toBe(text);
  });

  test('gets the time of the request', () => {
    const { block, timeMs } = decode(file, { timeMs: 5000 });
    expect([timeMs, block.timeStartMs, block.timeEndMs]).toEqual([5000, 5000, 5001]);
  });

  test('cut anywhere is refused, or what is left adds up', () => {
    const wrong: unknown[] = [];
    for (let end = 0; end < file.length; end += Math.max(1, Math.floor(file.length / 200))) {
      try {
        decode(file.subarray(0, end), { format });
      } catch (error) {
        if (!(error instanceof FleetflameError)) wrong.push(error);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('folded stacks', () => {
  test('with several spaces, fractions, comments, blank lines, carriage returns and a byte order mark', () => {
    const text = '\uFEFF# made by hand\r\n\r\nmain;read request    30\r\nmain;b\t1.5\r\nmain;c 2e1\r\n';
    expect(folded(text, SAMPLES)).toBe('main;b 2\nmain;c 20\nmain;read request 30');
    expect(changes(text)).toEqual({ value_rounded: 1, time_missing: 1 });
  });

  test('with annotations keep what they say', () => {
    const text = 'java;Foo.bar_[j];Foo.baz_[i];Foo.boo_[i];sys_read_[k] 7';
    expect(folded(text, SAMPLES)).toBe('java;Foo.bar;Foo.baz;Foo.boo;sys_read 7');
    expect(folded(text, SAMPLES, { annotate: true })).toBe(text);
  });

  test('lines that are none are skipped and counted, unless most are none', () => {
    expect(changes('main;a 1\nmain;b 2\nnothing here\n', { format: 'folded' })).toEqual({
      line_skipped: 1,
      time_missing: 1,
    });
    expect(() => decode('one\ntwo\nmain 1', { format: 'folded' })).toThrow(/only 1 of 3 lines/);
  });

  test('have the type and unit that the push says', () => {
    const text = 'main;a 30';
    expect([...decode(text, { type: 'cpu' }).totals]).toEqual([[CPU, 30]]);
    expect([...decode(text, { type: 'cpu', unit: 'microseconds' }).totals.keys()]).toEqual([
      'process_cpu:cpu:microseconds:cpu:nanoseconds',
    ]);
    expect([...decode(text, { type: 'alloc_space' }).totals.keys()]).toEqual([
      'memory:alloc_space:bytes:space:bytes',
    ]);
    expect([...decode(text, { type: 'a:b:c:d:e' }).totals.keys()]).toEqual(['a:b:c:d:e']);
    expect(() => decode(text, { type: 'a:b' })).toThrow(/is not a profile type/);
    expect(() => decode(text, { type: 'a:b:c:d:e', unit: 'x' })).toThrow(/has the unit c/);
    expect(() => decode(text, { format: 'x' })).toThrow(
      /There is no format "x"; one of these: pprof, folded/,
    );
  });

  test('too deep are cut in the middle; names in Latin-1 and UTF-16 are read', () => {
    const deep = `${Array.from({ length: 20_000 }, (_, i) => `f${i}`).join(';')} 3`;
    const cut = folded(deep, SAMPLES).split(';');
    expect(cut).toHaveLength(16_384);
    expect(cut).toContain('[3617 frames left out]');
    expect(changes(deep)).toEqual({ stack_cut: 1, time_missing: 1 });
    expect(folded(Buffer.from('caf\xe9;a 1\n', 'latin1'), SAMPLES)).toBe('caf\\xe9;a 1');
    expect(folded(Buffer.from('\uFEFFmain;a 1\n', 'utf16le'), SAMPLES)).toBe('main;a 1');
  });
});

describe('perf script', () => {
  test('headers in all their forms', () => {
    const text = [
      'my app 7  4711/4712 [003] 100.000001:   10101010 cpu-clock:pppH: ',
      '\t          401100 foo(int, (anonymous namespace)::x)+0x10 (/srv/my app (deleted))',
      '\t            7f00 [unknown] ([unknown])',
      '',
      'swapper     0 [000] 100.5:  cycles:u: ',
      '\tffffffff81001234 native_write_msr+0x4 ([kernel.kallsyms])',
      '\tffffffff81005678 [unknown] ([unknown])',
      '',
      ':1234 1234 [001] d.h1 101.0: 250000 cpu/cycles/ppp: ',
      '\t    55d0 inner (inlined)',
      '\t    55d0 outer+0x3 (/srv/app)',
      '\t      app.c:12',
      '\t    55d1 Lfoo;::bar+0x1 (/tmp/perf-1234.map)',
      '',
      '      app  99 102.5:   1 cpu-clock:  401100 single+0x1 (/srv/app)',
      '      app  99 102.6:   1 cpu-clock:  401180 second (/srv/app)',
      'untimed 4711',
      '\t          401100 main+0x10 (/srv/app)',
      '',
    ].join('\n');
    const decoded = decode(text);
    expect([...decoded.totals]).toEqual([
      [SAMPLES, 4],
      [CPU, 10_101_012],
      ['cycles:samples:count:cycles:count', 2],
      ['cycles:cycles:count:cycles:count', 250_000],
    ]);
    expect(decoded.durationMs).toBe(2600);
    expect(
      encodeFolded(decoded.block, { profileType: SAMPLES, groupBy: ['thread_name'] })
        .trimEnd()
        .split('\n'),
    ).toEqual([
      'app;second 1',
      'app;single 1',
      'my app 7;[unknown]+0x7f00;foo(int, (anonymous namespace):: x) 1'.replace(':: x', '::x'),
      'untimed;main 1',
    ]);
    expect(folded(text, 'cycles:samples:count:cycles:count', { annotate: true })).toBe(
      'Lfoo:::bar_[j];outer;inner_[i] 1\n[kernel]+0xffffffff81005678_[k];native_write_msr_[k] 1',
    );
    expect(changes(text)).toEqual({ time_missing: 1 });
  });
});

/** A speedscope file of two frames. */
const speedscope = (profiles: unknown) =>
  JSON.stringify({
    shared: { frames: [{ name: 'main', file: 'a.c', line: 3 }, { name: 'parse' }] },
    profiles,
  });

describe('speedscope', () => {
  test('evented profiles, several threads and units', () => {
    const text = speedscope([
      {
        type: 'evented',
        name: 'one',
        unit: 'microseconds',
        startValue: 0,
        endValue: 100,
        events: [
          { type: 'O', frame: 0, at: 10 },
          { type: 'O', frame: 1, at: 20 },
          { type: 'C', frame: 1, at: 50.5 },
          { type: 'C', frame: 0, at: 60 },
        ],
      },
      {
        type: 'sampled',
        name: 'two',
        unit: 'bytes',
        startValue: 0,
        endValue: 9,
        samples: [[0, 1], []],
        weights: [9, 1],
      },
    ]);
    expect([...decode(text).totals]).toEqual([
      [CPU, 50_000],
      ['memory:space:bytes:space:bytes', 10],
    ]);
    expect(folded(text, CPU)).toBe('main 19500\nmain;parse 30500');
    const { block } = decode(text);
    expect(encodeFolded(block, { profileType: CPU, groupBy: ['thread_name'] })).toContain('one;main;parse');
  });

  test('frames closed in the wrong order close those inside; what is not open is refused', () => {
    const events = [
      { type: 'O', frame: 0, at: 0 },
      { type: 'O', frame: 1, at: 1 },
      { type: 'C', frame: 0, at: 3 },
    ];
    const profile = { type: 'evented', name: '', unit: 'nanoseconds', startValue: 0, endValue: 9 };
    expect(folded(speedscope([{ ...profile, events }]), CPU)).toBe('main 1\nmain;parse 2');
    expect(changes(speedscope([{ ...profile, events }]))).toMatchObject({ event_mended: 1 });
    const closed = [{ type: 'C', frame: 0, at: 0 }];
    expect(() => decode(speedscope([{ ...profile, events: closed }]))).toThrow(
      /profiles\[0\]\.events\[0\].*not open/,
    );
    expect(() => decode(speedscope([{ ...profile, type: 'sampled', samples: [[7]], weights: [1] }]))).toThrow(
      /no frame 7/,
    );
    expect(() => decode(speedscope([{ ...profile, unit: 'parsecs', events }]))).toThrow(/parsecs is no unit/);
  });
});

/** A heap of a program that is mapped at `start`. */
const heapAt = (start: number) =>
  `heap profile: 1: 64 [1: 64] @ heapprofile\n1: 64 [1: 64] @ 0x${(start + 0x3235).toString(16)}\n\nMAPPED_LIBRARIES:\n` +
  `${start.toString(16)}-${(start + 0x1000).toString(16)} r--p 00000000 08:01 1 /srv/app\n` +
  `${(start + 0x3000).toString(16)}-${(start + 0x9000).toString(16)} r-xp 00001000 08:01 1 /srv/app\n`;

describe('gperftools', () => {
  test('32 bits and the other byte order', () => {
    const words = [0, 3, 0, 10_000, 0, 7, 2, 0x401100, 0x401200, 0, 1, 0];
    for (const [bytes, little] of [
      [4, true],
      [4, false],
      [8, false],
    ] as const) {
      const view = new DataView(new ArrayBuffer(words.length * bytes));
      for (const [i, word] of words.entries()) {
        if (bytes === 4) view.setUint32(i * 4, word, little);
        else view.setBigUint64(i * 8, BigInt(word), little);
      }
      expect([...decode(new Uint8Array(view.buffer)).totals.values()]).toEqual([7, 70_000_000]);
    }
  });

  test('heaps: sampled ones are scaled, jemalloc has sums, Go has names', () => {
    const scaled = decode(
      'heap profile:  1:  1024 [ 2: 2048] @ heap_v2/524288\n  1: 1024 [2: 2048] @ 0x401100 0x401200\n',
    );
    // 1 / (1 - e^(-1024/524288)) = 512.5
    expect([...scaled.totals.values()]).toEqual([513, 524_800, 1025, 1_049_600]);
    const jemalloc =
      'heap_v2/1\n  t*: 3: 300 [0: 0]\n  t1: 3: 300 [0: 0]\n@ 0x10 0x20\n  t*: 3: 300 [0: 0]\n  t1: 3: 300 [0: 0]\n\nMAPPED_LIBRARIES:\n';
    expect([...decode(jemalloc).totals.values()]).toEqual([3, 300, 0, 0]);
    expect(changes(jemalloc)).toEqual({ time_missing: 1 });
    const go =
      'heap profile: 1: 64 [1: 64] @ heap/2\n1: 64 [1: 64] @ 0x4011 0x4022\n#\t0x4010\tmain.leaf+0x10\t\t/src/m.go:7\n#\t0x4011\tmain.leaf+0x11\t\t/src/m.go:7\n#\t0x4022\tmain.main+0x2\t\t/src/m.go:9\n';
    expect(folded(go, 'memory:inuse_space:bytes:space:bytes')).toBe('main.main;main.leaf 64');
    expect(decode('heap profile: 1: 64 [1: 64] @ growthz\n1: 64 [1: 64] @ 0x1\n').format).toBe('heap-text');
  });

  test('addresses of position-independent code are counted from the file', () => {
    // By the file's beginning, not by the offset of its code: 0x3234 instead of 0x1234.
    expect(folded(heapAt(0x55d0_0000_0000), 'memory:inuse_space:bytes:space:bytes')).toBe('app+0x3234 64');
    expect(folded(heapAt(0x5611_2340_0000), 'memory:inuse_space:bytes:space:bytes')).toBe('app+0x3234 64');
  });
});

describe('what is no profile is named with the remedy', () => {
  test.each<[string, Uint8Array | string, RegExp]>([
    ['nothing', '', /an empty file.*look/],
    ['blank lines', '\n \n', /a file of blank lines/],
    ['HTML', '<!DOCTYPE html><html><body>404</body></html>', /an HTML page.*fetch the profile itself/],
    ['SVG', '<?xml version="1.0"?><svg></svg>', /an SVG picture/],
    ['PNG', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), /a PNG picture/],
    ['JPEG', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), /a JPEG picture/],
    ['zip', Buffer.from('PK\x03\x04\x14\0\0\0'), /a zip archive.*unpack/],
    [
      'tar',
      Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\x0000'), Buffer.alloc(248)]),
      /a tar archive.*unpack/,
    ],
    [
      'tar in gzip',
      gzipSync(Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\x0000'), Buffer.alloc(248)])),
      /a tar archive/,
    ],
    ['ELF', Buffer.from('\x7fELF\x02\x01\x01\0\0\0\0', 'latin1'), /an ELF binary.*symbols push/],
    ['perf.data', Buffer.from('PERFILE2\0\0\0\0'), /perf script/],
    ['text', 'hello, this is not a profile', /a text of no known kind.*pprof/],
    ['JSON', '{"a": 1}', /JSON of another kind/],
    ['an answer', '{"error": "not found"}', /the answer of a server/],
    ['JSON cut short', '{"a": [1, 2', /JSON that is cut short/],
    ['a heap snapshot', '{"snapshot":{"meta":{}},"nodes":[]}', /a heap snapshot of V8/],
    ['a thread dump', '2024-01-01 10:00:00\nFull thread dump OpenJDK\n', /a thread dump/],
    ['pprof as text', 'PeriodType: cpu nanoseconds\nPeriod: 1\nSamples:\n', /go tool pprof -raw.*-proto/],
    ['goroutines as text', 'goroutine profile: total 5\n1 @ 0x1\n', /without debug=/],
    ['bytes', Buffer.from([0xff, 0, 1, 2]), /a binary file of no known kind/],
    [
      'pprof whose first length is wrong',
      Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]),
      /sample_type\[0\].*bytes.*left/,
    ],
    ['gzip cut short', gzipSync('main;a 1\n').subarray(0, 15), /cut short or damaged.*gzip/],
    [
      'an unfinished recording',
      Buffer.concat([Buffer.from('FLR\0\0\x02\0\x01'), Buffer.alloc(60)]),
      /was not finished/,
    ],
  ])('%s', (_, file, message) => {
    expect(() => decode(file)).toThrow(message);
    expect(() => decode(file)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });
});

test('a file that is said to be of another format is told what it looks like', () => {
  const folded = EXAMPLES['folded']?.file ?? new Uint8Array();
  expect(() => decode(folded, { format: 'pprof' })).toThrow(
    /The pprof profile is not valid.* It looks like folded\./,
  );
  expect(() => decode('<!doctype html>', { format: 'pprof' })).toThrow(/not valid.*This is an HTML page/);
  expect(() => decode('some words', { format: 'jfr' })).toThrow(/a chunk begins with FLR\.$/);
});

test('a profile of this Node, as node --cpu-prof writes it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fleetflame-cpuprofile-'));
  try {
    const program =
      'function spin(end) { let s = 0; while (performance.now() < end) s += Math.sqrt(s + 1); return s } spin(performance.now() + 300)';
    execFileSync(process.execPath, ['--cpu-prof', '--cpu-prof-dir', directory, '-e', program]);
    const [name = ''] = readdirSync(directory);
    const bytes = readFileSync(join(directory, name));
    const decoded = decode(bytes);
    expect(decoded.format).toBe('cpuprofile');
    const wall = decoded.totals.get('wall:wall:nanoseconds:wall:nanoseconds') ?? 0;
    // What the samples last is the span of the file, but for the time before the first one.
    const { startTime, endTime, timeDeltas } = JSON.parse(bytes.toString()) as {
      startTime: number;
      endTime: number;
      timeDeltas: number[];
    };
    expect(wall).toBe((endTime - startTime - (timeDeltas[0] ?? 0)) * 1000);
    expect(folded(bytes, CPU)).toMatch(/;spin \d+/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('samples of a recording stay at their second, wherever the push puts its beginning', () => {
  const file = jfrFile(1_700_000_000_500, { laterMs: 2600, durationMs: 10_000 });
  for (const timeMs of [undefined, 1_700_000_100_000]) {
    const { block, ...decoded } = decodeProfile(file, { timeMs, labels: { service_name: 'api' } });
    const startMs = timeMs ?? 1_700_000_000_500;
    expect(decoded).toMatchObject({ timeMs: startMs, durationMs: 10_000, isTimed: true });
    const cpu = describeBlock(block).filter((line) => line.startsWith('process_cpu:cpu'));
    expect(cpu).toHaveLength(1);
    expect(cpu[0]).toMatch(new RegExp(`40000000: ${startMs} 20000000, ${startMs + 2000} 20000000$`));
    expect([block.timeStartMs, block.timeEndMs]).toEqual([startMs, startMs + 2001]);
  }
});

test('a recording that is longer than what is taken at once is one profile of all of it', () => {
  const file = jfrFile(1_700_000_000_000, { laterMs: 90_000_000, durationMs: 100_000_000 });
  const { block, ...decoded } = decodeProfile(file, { labels: { service_name: 'api' } });
  expect(decoded).toMatchObject({ durationMs: 100_000_000, isTimed: false });
  expect([block.timeStartMs, block.timeEndMs]).toEqual([1_700_000_000_000, 1_700_000_000_001]);
  expect(describeBlock(block).join('\n')).toMatch(/= 40000000: 1700000000000 40000000/);
});
