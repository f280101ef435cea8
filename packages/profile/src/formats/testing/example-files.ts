import { rawProfile } from '../pprof/testing/raw-profile.ts';
import { jfrFile } from './jfr-file.ts';

export interface ExampleFile {
  readonly file: Uint8Array;
  readonly totals: readonly (readonly [type: string, total: number])[];
  /** Folded text by type. */
  readonly stacks: Readonly<Record<string, string>>;
}

const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const WALL = 'wall:wall:nanoseconds:wall:nanoseconds';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function gperftools(): Uint8Array {
  const words = [0, 3, 0, 10_000, 0, 7, 2, 0x401100, 0x401200, 3, 2, 0x401180, 0x401200, 0, 1, 0];
  const maps = utf8('00400000-00410000 r-xp 00000000 08:01 1234       /srv/app\n');
  const file = new Uint8Array(words.length * 8 + maps.length);
  const view = new DataView(file.buffer);
  for (const [i, word] of words.entries()) view.setBigUint64(i * 8, BigInt(word), true);
  file.set(maps, words.length * 8);
  return file;
}

const node = (id: number, functionName: string, children: number[]) => ({
  id,
  callFrame: {
    functionName,
    url: functionName === '(root)' ? '' : 'file:///a.js',
    lineNumber: id,
    columnNumber: 0,
  },
  hitCount: 1,
  children,
});

/** A small file of each format, by its name. */
export const EXAMPLES: Readonly<Record<string, ExampleFile>> = {
  pprof: { file: rawProfile(), totals: [[CPU, 30]], stacks: { [CPU]: 'main;handle 30' } },
  folded: {
    file: utf8('main;serve;parse 30\nmain;serve;write 17\nmain;idle 3\n'),
    totals: [[SAMPLES, 50]],
    stacks: { [SAMPLES]: 'main;idle 3\nmain;serve;parse 30\nmain;serve;write 17' },
  },
  'perf-script': {
    file: utf8(
      'app  4711 100.000001:   10101010 cpu-clock: \n\t          401100 parse+0x10 (/srv/app)\n' +
        '\t          401200 main+0x20 (/srv/app)\n\napp  4711 100.010101:   10101010 cpu-clock: \n' +
        '\t          401180 write+0x8 (/srv/app)\n\t          401200 main+0x20 (/srv/app)\n\n',
    ),
    totals: [
      [SAMPLES, 2],
      [CPU, 20_202_020],
    ],
    stacks: { [SAMPLES]: 'main;parse 1\nmain;write 1' },
  },
  speedscope: {
    file: utf8(
      JSON.stringify({
        $schema: 'https://www.speedscope.app/file-format-schema.json',
        shared: { frames: [{ name: 'main' }, { name: 'parse' }] },
        profiles: [
          {
            type: 'sampled',
            name: 'one',
            unit: 'milliseconds',
            startValue: 0,
            endValue: 50,
            samples: [[0], [0, 1]],
            weights: [20, 30],
          },
        ],
      }),
    ),
    totals: [[CPU, 50_000_000]],
    stacks: { [CPU]: 'main 20000000\nmain;parse 30000000' },
  },
  cpuprofile: {
    file: utf8(
      JSON.stringify({
        nodes: [node(1, '(root)', [2, 4]), node(2, 'main', [3]), node(3, '', []), node(4, '(idle)', [])],
        startTime: 1000,
        endTime: 1100,
        samples: [2, 3, 4],
        timeDeltas: [10, 20, 30],
      }),
    ),
    totals: [
      [CPU, 50_000],
      [WALL, 90_000],
    ],
    stacks: {
      [CPU]: 'main 20000\nmain;(anonymous) 30000',
      [WALL]: '(idle) 40000\nmain 20000\nmain;(anonymous) 30000',
    },
  },
  'gperftools-cpu': {
    file: gperftools(),
    totals: [
      [SAMPLES, 10],
      [CPU, 100_000_000],
    ],
    stacks: { [SAMPLES]: 'app+0x4011ff;app+0x401100 7\napp+0x4011ff;app+0x401180 3' },
  },
  'heap-text': {
    file: utf8(
      'heap profile:      3:     3072 [     5:     5120] @ heapprofile\n' +
        '     2:     2048 [     4:     4096] @ 0x0000000000401100 0x0000000000401200\n' +
        '     1:     1024 [     1:     1024] @ 0x0000000000401180 0x0000000000401200\n\n' +
        'MAPPED_LIBRARIES:\n00400000-00410000 r-xp 00000000 08:01 1234       /srv/app\n',
    ),
    totals: [
      ['memory:inuse_objects:count:space:bytes', 3],
      ['memory:inuse_space:bytes:space:bytes', 3072],
      ['memory:alloc_objects:count:space:bytes', 5],
      ['memory:alloc_space:bytes:space:bytes', 5120],
    ],
    stacks: {
      'memory:inuse_space:bytes:space:bytes':
        'app+0x4011ff;app+0x4010ff 2048\napp+0x4011ff;app+0x40117f 1024',
    },
  },
  jfr: {
    file: jfrFile(1_700_000_000_000),
    totals: [
      [SAMPLES, 2],
      [CPU, 40_000_000],
      ['native_method:samples:count::', 1],
    ],
    stacks: {
      [CPU]: 'com.example.Api.run;com.example.Api.handle;com.example.Api.parse 40000000',
      'native_method:samples:count::': '[outer frames not recorded];com.example.Api.run 1',
    },
  },
};
