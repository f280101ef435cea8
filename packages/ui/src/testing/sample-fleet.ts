import { BlockBuilder, type Block, type MappingKind } from '@fleetflame/profile';

/**
 * A small made-up fleet for developing the page and for its tests: five services on three hosts, with
 * kernel, native and JIT frames, frames without names, a long tail, and load that changes over time.
 */
const PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const PERIOD_NS = Math.round(1e9 / 19);

/** name@binary;… and the relative weight. */
const STACKS: Readonly<Record<string, readonly (readonly [stack: string, weight: number])[]>> = {
  checkout: [
    [
      'start_thread@libc.so.6;node::Start@node;uv_run@node;~processTicks@[jit];~handleCheckout@[jit];~priceCart@[jit];~applyTax@[jit]',
      30,
    ],
    [
      'start_thread@libc.so.6;node::Start@node;uv_run@node;~processTicks@[jit];~handleCheckout@[jit];~serialize@[jit];v8::internal::JsonStringify(v8::internal::Isolate*, v8::internal::Handle<v8::internal::Object>)@node',
      22,
    ],
    [
      'start_thread@libc.so.6;node::Start@node;uv_run@node;~processTicks@[jit];~handleCheckout@[jit];~parseBody@[jit];JSON.parse@node',
      14,
    ],
    [
      'start_thread@libc.so.6;node::Start@node;uv_run@node;uv__stream_io@node;writev@libc.so.6;entry_SYSCALL_64@[kernel];do_syscall_64@[kernel];ksys_writev@[kernel];tcp_sendmsg@[kernel];tcp_write_xmit@[kernel];__tcp_transmit_skb@[kernel]',
      11,
    ],
    [
      'start_thread@libc.so.6;node::Start@node;v8::internal::Heap::CollectGarbage(v8::internal::AllocationSpace, v8::internal::GarbageCollectionReason)@node;v8::internal::ScavengerCollector::CollectGarbage()@node',
      12,
    ],
  ],
  'postgres.service': [
    [
      '_start@postgres;main@postgres;PostmasterMain@postgres;ServerLoop@postgres;BackendMain@postgres;PostgresMain@postgres;exec_simple_query@postgres;PortalRun@postgres;standard_ExecutorRun@postgres;ExecSeqScan@postgres;heap_getnextslot@postgres;heapgettup_pagemode@postgres',
      34,
    ],
    [
      '_start@postgres;main@postgres;PostmasterMain@postgres;ServerLoop@postgres;BackendMain@postgres;PostgresMain@postgres;exec_simple_query@postgres;PortalRun@postgres;standard_ExecutorRun@postgres;ExecSort@postgres;tuplesort_performsort@postgres;qsort_tuple@postgres;comparetup_heap@postgres',
      18,
    ],
    [
      '_start@postgres;main@postgres;PostmasterMain@postgres;ServerLoop@postgres;BackendMain@postgres;PostgresMain@postgres;exec_simple_query@postgres;pg_parse_query@postgres;raw_parser@postgres;base_yyparse@postgres',
      7,
    ],
    [
      '_start@postgres;main@postgres;PostmasterMain@postgres;ServerLoop@postgres;WalWriterMain@postgres;XLogFlush@postgres;fdatasync@libc.so.6;entry_SYSCALL_64@[kernel];do_syscall_64@[kernel];do_fsync@[kernel];ext4_sync_file@[kernel];jbd2_complete_transaction@[kernel]',
      9,
    ],
  ],
  gateway: [
    [
      'runtime.goexit@gateway;net/http.(*conn).serve@gateway;net/http.serverHandler.ServeHTTP@gateway;main.(*Router).route@gateway;main.(*Proxy).forward@gateway;crypto/tls.(*Conn).Write@gateway;crypto/internal/fips140/aes/gcm.gcmAesEnc@gateway',
      26,
    ],
    [
      'runtime.goexit@gateway;net/http.(*conn).serve@gateway;net/http.serverHandler.ServeHTTP@gateway;main.(*Router).route@gateway;regexp.(*Regexp).doExecute@gateway;regexp.(*machine).onepass@gateway',
      15,
    ],
    [
      'runtime.goexit@gateway;runtime.gcBgMarkWorker@gateway;runtime.gcDrain@gateway;runtime.scanobject@gateway',
      14,
    ],
    [
      'runtime.goexit@gateway;runtime.mcall@gateway;runtime.park_m@gateway;runtime.findRunnable@gateway;runtime.netpoll@gateway;internal/runtime/syscall.EpollWait@gateway;entry_SYSCALL_64@[kernel];do_syscall_64@[kernel];do_epoll_wait@[kernel]',
      8,
    ],
  ],
  'kafka.service': [
    [
      'start_thread@libc.so.6;JavaThread::run@libjvm.so;kafka.server.KafkaRequestHandler.run@[jit];kafka.server.KafkaApis.handleFetchRequest@[jit];kafka.log.UnifiedLog.read@[jit];org.apache.kafka.common.record.FileRecords.writeTo@[jit];sendfile64@libc.so.6;entry_SYSCALL_64@[kernel];do_syscall_64@[kernel];do_sendfile@[kernel];splice_direct_to_actor@[kernel]',
      13,
    ],
    [
      'start_thread@libc.so.6;JavaThread::run@libjvm.so;kafka.server.KafkaRequestHandler.run@[jit];kafka.server.KafkaApis.handleProduceRequest@[jit];com.github.luben.zstd.ZstdInputStream.read@[jit];ZSTD_decompressStream@libzstd.so.1;ZSTD_decompressBlock_internal@libzstd.so.1',
      21,
    ],
    [
      'start_thread@libc.so.6;JavaThread::run@libjvm.so;G1ConcurrentMarkThread::run_service@libjvm.so;G1CMTask::do_marking_step@libjvm.so',
      9,
    ],
  ],
  fraudd: [
    [
      '_start@fraudd;+0x4a1f0@fraudd;+0x51b3c@fraudd;std::sort<std::vector<Score, std::allocator<Score>>::iterator, ByRisk>(std::vector<Score, std::allocator<Score>>::iterator, std::vector<Score, std::allocator<Score>>::iterator, ByRisk)@fraudd',
      6,
    ],
    ['_start@fraudd;+0x4a1f0@fraudd;+0x52d10@fraudd;+0x9bd04@libcrypto.so.3', 5],
  ],
};

const HOSTS = ['web-eu-1', 'web-eu-2', 'db-eu-1'] as const;
/** Between two points of a stack. */
const STEP_MS = 5000;
/** Extra callees per stack, each with a thousandth of its weight: the long tail of real profiles. */
const TAIL = 24;

export interface SampleFleetOptions {
  /** Unix milliseconds. */
  readonly endMs: number;
  readonly minutes: number;
  readonly seed?: number;
}

export function sampleFleet(options: SampleFleetOptions): Block {
  const random = mulberry32(options.seed ?? 7);
  const builder = new BlockBuilder();
  const first = Math.floor((options.endMs - options.minutes * 60_000) / 1000) * 1000;
  for (const [service, stacks] of Object.entries(STACKS)) {
    for (const host of hostsOf(service)) {
      const series = builder.series(PROFILE_TYPE, PERIOD_NS, {
        service_name: service,
        host_name: host,
        process_executable_name: service.replace('.service', ''),
      });
      const rows = stacks.flatMap(([text, weight]) => withTail(builder, text, weight, random));
      const phase = random() * 6;
      for (let time = first; time < options.endMs; time += STEP_MS) {
        const minute = (time - first) / 60_000;
        const load = 1 + 0.35 * Math.sin(minute / 5 + phase) + (random() - 0.5) * 0.25;
        const burst = service === 'checkout' && minute % 17 > 13 ? 1.9 : 1;
        for (const { stack, weight } of rows) {
          const mean = weight * load * burst * 0.45;
          const samples = Math.floor(mean) + (random() < mean % 1 ? 1 : 0);
          if (samples > 0) builder.add(series, stack, time, samples * PERIOD_NS);
        }
      }
    }
  }
  builder.loss('ring_full', 3);
  return builder.build();
}

function hostsOf(service: string): readonly string[] {
  if (service.startsWith('postgres')) return HOSTS.slice(2);
  return service === 'fraudd' ? HOSTS.slice(0, 1) : HOSTS.slice(0, 2);
}

function withTail(
  builder: BlockBuilder,
  text: string,
  weight: number,
  random: () => number,
): { readonly stack: number; readonly weight: number }[] {
  const frames = text.split(';');
  let stack = 0;
  const rows: { stack: number; weight: number }[] = [];
  frames.forEach((frame, depth) => {
    stack = builder.stack(stack, locationOf(builder, frame));
    if (depth < frames.length - 2 || depth === frames.length - 1) return;
    for (let i = 0; i < TAIL; i++) {
      const binary = frame.slice(frame.lastIndexOf('@'));
      const helper = `${frame.slice(0, frame.lastIndexOf('@')).replace(/\(.*$/u, '')}_step${i}${binary}`;
      let node = builder.stack(stack, locationOf(builder, helper));
      const deeper = Math.floor(random() * 4);
      for (let d = 0; d < deeper; d++)
        node = builder.stack(node, locationOf(builder, `helper_${i}_${d}${binary}`));
      rows.push({ stack: node, weight: weight * 0.03 * random() ** 3 });
    }
  });
  rows.push({ stack, weight });
  return rows;
}

function locationOf(builder: BlockBuilder, frame: string): number {
  const at = frame.lastIndexOf('@');
  const name = frame.slice(0, at);
  const binary = frame.slice(at + 1);
  const kinds: Readonly<Record<string, MappingKind>> = { '[kernel]': 'kernel', '[jit]': 'jit' };
  const kind = kinds[binary] ?? 'native';
  const file = kind === 'native' ? `/usr/lib/${binary}` : binary;
  const mapping = builder.mapping(
    builder.string(file),
    builder.string(kind === 'native' ? 'ab12cd34ef' : ''),
    kind,
  );
  if (name.startsWith('+0x')) {
    const address = Number.parseInt(name.slice(3), 16);
    return builder.location(mapping, address, 0, []);
  }
  const source = kind === 'jit' && name.startsWith('~') ? `/srv/app/src/${name.slice(1)}.js` : '';
  const fn = builder.function(builder.string(name), builder.string(name), builder.string(source), 0);
  return builder.location(mapping, 0, 0, [fn, 0]);
}

/** A small seeded generator: the same fleet every time. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
