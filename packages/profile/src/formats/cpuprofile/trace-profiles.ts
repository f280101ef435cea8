import { isObject, listOf, numberOf, textOf } from '../json-file.ts';
import type { JsonObject } from '../json-file.ts';
import { brokenFile } from '../import-error.ts';
import type { CpuProfile } from './cpu-profile.ts';

interface Pieces {
  readonly nodes: unknown[];
  readonly samples: unknown[];
  readonly timeDeltas: unknown[];
  startTime: number;
  thread: string;
}

/**
 * The CPU profiles among the trace events of Chrome: one Profile event each, then ProfileChunk events
 * with the same process and id. Undefined when the file is no trace.
 */
export function traceProfiles(file: unknown): readonly CpuProfile[] | undefined {
  const events = Array.isArray(file) ? listOf(file) : isObject(file) ? file['traceEvents'] : undefined;
  if (!Array.isArray(events)) return undefined;
  const pieces = new Map<string, Pieces>();
  const threads = new Map<string, string>();
  for (const event of listOf(events)) if (isObject(event)) readEvent(event, pieces, threads);
  if (pieces.size === 0) {
    throw brokenFile(
      'cpuprofile',
      'it is a trace without a CPU profile: record with the category disabled-by-default-v8.cpu_profiler',
    );
  }
  return [...pieces.entries()].map(([id, piece]) => {
    let endTime = piece.startTime;
    for (const delta of piece.timeDeltas) endTime += numberOf(delta) ?? 0;
    const thread = threads.get(piece.thread) ?? '';
    return { ...piece, thread: pieces.size > 1 ? thread || id : thread, path: `profile ${id}: `, endTime };
  });
}

function readEvent(event: JsonObject, pieces: Map<string, Pieces>, threads: Map<string, string>): void {
  const name = textOf(event['name']);
  const args = isObject(event['args']) ? event['args'] : {};
  const thread = `${String(event['pid'])}:${String(event['tid'])}`;
  if (name === 'thread_name') threads.set(thread, textOf(args['name']));
  if (name !== 'Profile' && name !== 'ProfileChunk') return;
  const id = `${String(event['pid'])}:${String(event['id'])}`;
  const known = pieces.get(id) ?? { nodes: [], samples: [], timeDeltas: [], startTime: 0, thread };
  pieces.set(id, known);
  const data = isObject(args['data']) ? args['data'] : {};
  if (name === 'Profile') {
    known.startTime = numberOf(data['startTime']) ?? 0;
    known.thread = thread;
  }
  const profile = isObject(data['cpuProfile']) ? data['cpuProfile'] : {};
  for (const node of listOf(profile['nodes'])) known.nodes.push(node);
  for (const sample of listOf(profile['samples'])) known.samples.push(sample);
  for (const delta of listOf(data['timeDeltas'] ?? profile['timeDeltas'])) known.timeDeltas.push(delta);
}
