/** Writes a small recording of JDK Flight Recorder: one chunk, compressed integers, as JDK 17 does. */

type Bytes = number[];

function long(value: number): Bytes {
  const bytes: Bytes = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

function text(value: string): Bytes {
  const bytes = [...new TextEncoder().encode(value)];
  return [3, ...long(bytes.length), ...bytes];
}

function wide(value: number): Bytes {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return [...bytes];
}

/** A record with its size in front, which is counted, too; four bytes, as the JDK writes it. */
function record(type: number, ...body: Bytes[]): Bytes {
  const content = [...long(type), ...body.flat()];
  const size = content.length + 4;
  return [
    (size & 0x7f) | 0x80,
    ((size >> 7) & 0x7f) | 0x80,
    ((size >> 14) & 0x7f) | 0x80,
    size >> 21,
    ...content,
  ];
}

interface FieldOf {
  readonly name: string;
  readonly type: string;
  readonly pooled?: boolean;
  readonly array?: boolean;
}

const field = (name: string, type: string, extra: Omit<FieldOf, 'name' | 'type'> = {}): FieldOf => ({
  name,
  type,
  ...extra,
});
const pooled = (name: string, type: string): FieldOf => field(name, type, { pooled: true });

/** Types by name, with their fields; the id is 10 and the place here. */
const CLASSES: readonly (readonly [name: string, fields: readonly FieldOf[]])[] = [
  ['long', []],
  ['int', []],
  ['boolean', []],
  ['java.lang.String', []],
  ['jdk.types.Symbol', [field('string', 'java.lang.String')]],
  ['java.lang.Class', [pooled('name', 'jdk.types.Symbol')]],
  [
    'jdk.types.Method',
    [
      pooled('type', 'java.lang.Class'),
      pooled('name', 'jdk.types.Symbol'),
      pooled('descriptor', 'jdk.types.Symbol'),
    ],
  ],
  ['jdk.types.FrameType', [field('description', 'java.lang.String')]],
  [
    'jdk.types.StackFrame',
    [
      pooled('method', 'jdk.types.Method'),
      field('lineNumber', 'int'),
      field('bytecodeIndex', 'int'),
      pooled('type', 'jdk.types.FrameType'),
    ],
  ],
  [
    'jdk.types.StackTrace',
    [field('truncated', 'boolean'), field('frames', 'jdk.types.StackFrame', { array: true })],
  ],
  ['jdk.types.ThreadState', [field('name', 'java.lang.String')]],
  ['java.lang.Thread', [field('osName', 'java.lang.String'), field('javaName', 'java.lang.String')]],
  [
    'jdk.ExecutionSample',
    [
      field('startTime', 'long'),
      pooled('sampledThread', 'java.lang.Thread'),
      pooled('stackTrace', 'jdk.types.StackTrace'),
      pooled('state', 'jdk.types.ThreadState'),
    ],
  ],
  [
    'jdk.NativeMethodSample',
    [
      field('startTime', 'long'),
      pooled('sampledThread', 'java.lang.Thread'),
      pooled('stackTrace', 'jdk.types.StackTrace'),
    ],
  ],
  [
    'jdk.ActiveSetting',
    [
      field('startTime', 'long'),
      field('id', 'long'),
      field('name', 'java.lang.String'),
      field('value', 'java.lang.String'),
    ],
  ],
];

const idOf = (name: string): number => 10 + CLASSES.findIndex(([it]) => it === name);

function metadata(): Bytes {
  const strings: string[] = [];
  const index = (value: string): Bytes => {
    if (!strings.includes(value)) strings.push(value);
    return long(strings.indexOf(value));
  };
  const element = (name: string, attributes: Readonly<Record<string, string>>, children: Bytes[]): Bytes => {
    const pairs = Object.entries(attributes);
    return [
      ...index(name),
      ...long(pairs.length),
      ...pairs.flatMap(([key, value]) => [...index(key), ...index(value)]),
      ...long(children.length),
      ...children.flat(),
    ];
  };
  const classes = CLASSES.map(([name, fields]) =>
    element(
      'class',
      { id: String(idOf(name)), name },
      fields.map((it) =>
        element(
          'field',
          {
            name: it.name,
            class: String(idOf(it.type)),
            ...(it.pooled === true ? { constantPool: 'true' } : {}),
            ...(it.array === true ? { dimension: '1' } : {}),
          },
          [],
        ),
      ),
    ),
  );
  const root = element('root', {}, [element('metadata', {}, classes)]);
  return record(0, long(1), long(0), long(1), long(strings.length), ...strings.map((it) => text(it)), root);
}

/**
 * Two stacks of Api: run;handle;parse, sampled twice every 20 ms, the second time `laterMs` after the first, and run in native
 * code. The recording takes a second, or as long as is said.
 */
export function jfrFile(startMs: number, { laterMs = 0, durationMs = 1000 } = {}): Uint8Array {
  const symbols = ['com/example/Api', 'run', 'handle', 'parse', '()V'];
  const pool = (name: string, values: Bytes[]): Bytes => [
    ...long(idOf(name)),
    ...long(values.length),
    ...values.flatMap((value, i) => [...long(i + 1), ...value]),
  ];
  const frame = (method: number, line: number): Bytes => [
    ...long(method),
    ...long(line),
    ...long(0),
    ...long(1),
  ];
  const pools = [
    pool(
      'jdk.types.Symbol',
      symbols.map((it) => text(it)),
    ),
    pool('java.lang.Class', [long(1)]),
    pool(
      'jdk.types.Method',
      [2, 3, 4].map((name) => [...long(1), ...long(name), ...long(5)]),
    ),
    pool('jdk.types.FrameType', [text('JIT compiled')]),
    pool('jdk.types.StackTrace', [
      [0, ...long(3), ...frame(3, 30), ...frame(2, 20), ...frame(1, 10)],
      [1, ...long(1), ...frame(1, 11)],
    ]),
    pool('jdk.types.ThreadState', [text('STATE_RUNNABLE')]),
    pool('java.lang.Thread', [[...text('os-1'), ...text('worker-1')]]),
  ];
  const execution = idOf('jdk.ExecutionSample');
  const events = [
    record(idOf('jdk.ActiveSetting'), long(1), long(execution), text('period'), text('20 ms')),
    record(execution, long(2), long(1), long(1), long(1)),
    record(execution, long(3 + laterMs * 1e6), long(1), long(1), long(1)),
    record(idOf('jdk.NativeMethodSample'), long(4), long(1), long(2)),
  ];
  const checkpoint = record(1, long(1), long(0), long(0), [0], long(pools.length), ...pools);
  const types = metadata();
  const head = 68;
  const poolsAt = head + events.flat().length;
  const metadataAt = poolsAt + checkpoint.length;
  const size = metadataAt + types.length;
  return Uint8Array.from([
    0x46,
    0x4c,
    0x52,
    0,
    0,
    2,
    0,
    1,
    ...[size, poolsAt, metadataAt, startMs * 1_000_000, durationMs * 1_000_000, 1, 1_000_000_000].flatMap(
      wide,
    ),
    0,
    0,
    0,
    1,
    ...events.flat(),
    ...checkpoint,
    ...types,
  ]);
}
