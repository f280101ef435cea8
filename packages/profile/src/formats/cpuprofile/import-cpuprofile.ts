import type { DecodedProfile, DecodeProfileOptions } from '../decoded-profile.ts';
import type { ImportChanges } from '../import-changes.ts';
import { brokenFile } from '../import-error.ts';
import { importedType, saidType } from '../imported-type.ts';
import { isObject, listOf, numberOf, parseJsonFile, textOf } from '../json-file.ts';
import type { ImportLimits } from '../limits.ts';
import { ProfileWriter } from '../profile-writer.ts';
import { traceProfiles } from './trace-profiles.ts';
import type { CpuProfile } from './cpu-profile.ts';

const FORMAT = 'cpuprofile';

/** Frames that V8 makes up for itself. */
const ROOT = '(root)';
const IDLE = '(idle)';

/**
 * What `node --cpu-prof` and the DevTools of Chrome write, and the trace events of Chrome that hold the
 * same in pieces. A sample lasts until the next one; V8 samples waiting time, too, and marks it (idle):
 *
 *   process_cpu:cpu:nanoseconds…   without (idle)
 *   wall:wall:nanoseconds…         all of it
 *
 * Without times there are samples/count. The clock of the file is no calendar's.
 */
export function importCpuprofile(
  bytes: Uint8Array,
  options: DecodeProfileOptions,
  limits: ImportLimits,
  changes: ImportChanges,
): DecodedProfile {
  const file = parseJsonFile(FORMAT, bytes, limits, changes);
  const profiles = traceProfiles(file) ?? [plainProfile(file)];
  const writer = new ProfileWriter(FORMAT, options, limits, changes);
  let durationMs = 0;
  for (const profile of profiles) {
    const reader = new CpuprofileReader(writer, profile, options);
    reader.read();
    durationMs = Math.max(durationMs, (profile.endTime - profile.startTime) / 1000);
  }
  return writer.finish(undefined, durationMs);
}

function plainProfile(file: unknown): CpuProfile {
  if (!isObject(file) || !Array.isArray(file['nodes'])) throw brokenFile(FORMAT, 'it has no nodes', 'nodes');
  return {
    path: '',
    thread: '',
    nodes: listOf(file['nodes']),
    samples: listOf(file['samples']),
    timeDeltas: listOf(file['timeDeltas']),
    startTime: numberOf(file['startTime']) ?? 0,
    endTime: numberOf(file['endTime']) ?? 0,
  };
}

interface Node {
  readonly location: number;
  readonly name: string;
  readonly hits: number;
  parent: number;
  /** -1: not known yet. */
  stack: number;
  depth: number;
}

class CpuprofileReader {
  readonly #writer: ProfileWriter;
  readonly #profile: CpuProfile;
  readonly #nodes: Node[] = [];
  readonly #byId = new Map<unknown, number>();
  readonly #labels: Readonly<Record<string, string>>;
  readonly #types: { readonly cpu: string; readonly wall: string | undefined; readonly samples: string };

  constructor(writer: ProfileWriter, profile: CpuProfile, options: DecodeProfileOptions) {
    this.#writer = writer;
    this.#profile = profile;
    this.#labels = profile.thread === '' ? {} : { thread_name: profile.thread };
    const said = options.type !== undefined && options.type !== '';
    this.#types = {
      cpu: saidType(options, { type: 'cpu', unit: 'nanoseconds' }),
      wall: said ? undefined : importedType('wall', 'nanoseconds'),
      samples: saidType(options, { type: 'samples', unit: 'count' }),
    };
  }

  read(): void {
    this.#readNodes();
    if (this.#profile.samples.length > 0 && this.#profile.timeDeltas.length > 0) this.#readSamples();
    else this.#readHits();
  }

  #readNodes(): void {
    const { path, nodes } = this.#profile;
    for (const [index, node] of nodes.entries()) {
      const frame = isObject(node) ? node['callFrame'] : undefined;
      if (!isObject(node) || !isObject(frame))
        throw brokenFile(FORMAT, 'it has no callFrame', `${path}nodes[${index}]`);
      const name = textOf(frame['functionName']);
      const url = textOf(frame['url']);
      // Lines are counted from 0, and -1 is unknown.
      const line = (numberOf(frame['lineNumber']) ?? -1) + 1;
      const location = this.#writer.frame({
        name: name === '' ? '(anonymous)' : name,
        file: url === '' ? undefined : url,
        line,
        column: (numberOf(frame['columnNumber']) ?? -1) + 1,
        startLine: line,
      });
      if (this.#byId.has(node['id'])) this.#writer.changes.note('id_repeated', `${path}nodes[${index}]`);
      else this.#byId.set(node['id'], index);
      this.#nodes.push({
        location,
        name,
        hits: numberOf(node['hitCount']) ?? 0,
        parent: -1,
        stack: -1,
        depth: 0,
      });
    }
    for (const [index, node] of nodes.entries()) {
      if (!isObject(node)) continue;
      if (node['parent'] !== undefined) this.#setParent(index, this.#byId.get(node['parent']));
      for (const child of listOf(node['children'])) {
        const row = this.#byId.get(child);
        if (row === undefined)
          throw brokenFile(FORMAT, `there is no node ${String(child)}`, `${path}nodes[${index}].children`);
        this.#setParent(row, index);
      }
    }
  }

  #setParent(child: number, parent: number | undefined): void {
    const node = this.#nodes[child];
    if (node !== undefined && parent !== undefined) node.parent = parent;
  }

  #readSamples(): void {
    const { samples, timeDeltas, startTime, endTime, path } = this.#profile;
    const { cpu, wall } = this.#types;
    this.#writer.declare(cpu);
    if (wall !== undefined) this.#writer.declare(wall);
    let elapsed = 0;
    for (const delta of timeDeltas) elapsed += numberOf(delta) ?? 0;
    for (let i = 0; i < samples.length; i++) {
      this.#writer.countSample();
      const last = i === samples.length - 1;
      const lasts = last ? Math.max(0, endTime - startTime - elapsed) : (numberOf(timeDeltas[i + 1]) ?? 0);
      if (lasts < 0) {
        // Samples of V8 may come out of order by some microseconds.
        this.#writer.changes.note('value_negative', `${path}timeDeltas[${i + 1}]: ${lasts}`);
        continue;
      }
      const node = this.#node(samples[i], `${path}samples[${i}]`);
      const stack = this.#stack(node);
      if (node.name !== IDLE) this.#writer.add(cpu, 0, this.#labels, stack, lasts * 1000);
      if (wall !== undefined) this.#writer.add(wall, 0, this.#labels, stack, lasts * 1000);
    }
  }

  #readHits(): void {
    const { samples } = this.#types;
    this.#writer.declare(samples);
    for (const node of this.#nodes) {
      this.#writer.countSample();
      if (node.hits < 0) this.#writer.changes.note('value_negative', `${node.name}: ${node.hits}`);
      else if (node.name !== IDLE) this.#writer.add(samples, 0, this.#labels, this.#stack(node), node.hits);
    }
  }

  #node(id: unknown, where: string): Node {
    const node = this.#nodes[this.#byId.get(id) ?? -1];
    if (node === undefined) throw brokenFile(FORMAT, `there is no node ${String(id)}`, where);
    return node;
  }

  /** The stack of a node; the root of V8 is no frame. */
  #stack(node: Node): number {
    const path: Node[] = [];
    let at: Node | undefined = node;
    while (at !== undefined && at.stack < 0) {
      path.push(at);
      if (path.length > this.#nodes.length)
        throw brokenFile(FORMAT, 'its nodes are no tree', `${this.#profile.path}nodes`);
      at = at.parent < 0 ? undefined : this.#nodes[at.parent];
    }
    let { stack, depth } = at ?? { stack: 0, depth: 0 };
    for (const next of path.reverse()) {
      const isRoot = next.parent < 0 && next.name === ROOT;
      depth = isRoot ? 0 : depth + 1;
      stack = isRoot ? 0 : this.#writer.inner(stack, next.location, depth);
      next.stack = stack;
      next.depth = depth;
    }
    return stack;
  }
}
