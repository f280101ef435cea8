import type { FlameTable, FrameTable, NodeIndex } from '@fleetflame/profile';

/**
 * Replaces the subtree of `node` in `whole` by `detail`, a table of that same subtree that was pruned
 * less. Everything else keeps its place, so the picture gains detail and nothing moves.
 *
 * `detailNode` is the row of `detail` that is the same frame as `node`. Returns undefined when the
 * two disagree about its total: then they are not the same subtree (two siblings may share a name).
 */
export function spliceSubtree(
  whole: FlameTable,
  node: NodeIndex,
  detail: FlameTable,
  detailNode: NodeIndex,
): FlameTable | undefined {
  if (whole.total[node] !== detail.total[detailNode]) return undefined;
  const oldEnd = whole.subtreeEnd[node]!;
  const newCount = detail.subtreeEnd[detailNode]! - detailNode;
  const shift = newCount - (oldEnd - node);
  const length = whole.length + shift;
  const { frames, ofDetail } = joinFrames(whole.frames, detail.frames);
  const result = {
    length,
    parent: new Int32Array(length),
    subtreeEnd: new Int32Array(length),
    depth: new Uint16Array(length),
    frame: new Uint32Array(length),
    total: new Float64Array(length),
    self: new Float64Array(length),
    prunedNodes: new Uint32Array(length),
    frames,
  };
  for (let row = 0; row < whole.length; row++) {
    if (row >= node && row < oldEnd) continue;
    const to = row < node ? row : row + shift;
    const parent = whole.parent[row]!;
    const end = whole.subtreeEnd[row]!;
    result.parent[to] = parent < oldEnd ? parent : parent + shift;
    // Only the ancestors of `node` and the rows after it end at or after oldEnd.
    result.subtreeEnd[to] = end < oldEnd ? end : end + shift;
    result.depth[to] = whole.depth[row]!;
    result.frame[to] = whole.frame[row]!;
    result.total[to] = whole.total[row]!;
    result.self[to] = whole.self[row]!;
    result.prunedNodes[to] = whole.prunedNodes[row]!;
  }
  const rowShift = node - detailNode;
  const depthShift = whole.depth[node]! - detail.depth[detailNode]!;
  for (let i = 0; i < newCount; i++) {
    const from = detailNode + i;
    const to = node + i;
    result.parent[to] = i === 0 ? whole.parent[node]! : detail.parent[from]! + rowShift;
    result.subtreeEnd[to] = detail.subtreeEnd[from]! + rowShift;
    result.depth[to] = detail.depth[from]! + depthShift;
    result.frame[to] = ofDetail[detail.frame[from]!]!;
    result.total[to] = detail.total[from]!;
    result.self[to] = detail.self[from]!;
    result.prunedNodes[to] = detail.prunedNodes[from]!;
  }
  return result;
}

type StringColumn = 'name' | 'filename' | 'binary' | 'buildId';

/** The frames of `a`, then those of `b` that `a` lacks. Rows of `a` keep their numbers. */
function joinFrames(a: FrameTable, b: FrameTable): { frames: FrameTable; ofDetail: Uint32Array } {
  const strings = [...a.strings];
  const stringRow = new Map(strings.map((text, row) => [text, row]));
  const intern = (text: string): number => {
    const known = stringRow.get(text);
    if (known !== undefined) return known;
    stringRow.set(text, strings.length);
    return strings.push(text) - 1;
  };
  const rows = new Map<string, number>();
  for (let f = 0; f < a.length; f++) {
    rows.set(frameKey(a.name[f]!, a.filename[f]!, a.binary[f]!, a.kind[f]!), f);
  }
  const ofDetail = new Uint32Array(b.length);
  const added: Record<StringColumn | 'startLine' | 'kind' | 'named', number>[] = [];
  for (let f = 0; f < b.length; f++) {
    const row = {
      name: intern(b.strings[b.name[f]!] ?? ''),
      filename: intern(b.strings[b.filename[f]!] ?? ''),
      binary: intern(b.strings[b.binary[f]!] ?? ''),
      buildId: intern(b.strings[b.buildId[f]!] ?? ''),
      startLine: b.startLine[f]!,
      kind: b.kind[f]!,
      named: b.named[f]!,
    };
    const id = frameKey(row.name, row.filename, row.binary, row.kind);
    const known = rows.get(id);
    ofDetail[f] = known ?? a.length + added.length;
    if (known !== undefined) continue;
    rows.set(id, a.length + added.length);
    added.push(row);
  }
  const length = a.length + added.length;
  const join = (column: Uint32Array, field: StringColumn | 'startLine'): Uint32Array => {
    const out = new Uint32Array(length);
    out.set(column.subarray(0, a.length));
    added.forEach((row, i) => (out[a.length + i] = row[field]));
    return out;
  };
  const joinBytes = (column: Uint8Array, field: 'kind' | 'named'): Uint8Array => {
    const out = new Uint8Array(length);
    out.set(column.subarray(0, a.length));
    added.forEach((row, i) => (out[a.length + i] = row[field]));
    return out;
  };
  const frames: FrameTable = {
    length,
    name: join(a.name, 'name'),
    filename: join(a.filename, 'filename'),
    binary: join(a.binary, 'binary'),
    buildId: join(a.buildId, 'buildId'),
    startLine: join(a.startLine, 'startLine'),
    kind: joinBytes(a.kind, 'kind'),
    named: joinBytes(a.named, 'named'),
    strings,
  };
  return { frames, ofDetail };
}

function frameKey(name: number, filename: number, binary: number, kind: number): string {
  return `${name},${filename},${binary},${kind}`;
}
