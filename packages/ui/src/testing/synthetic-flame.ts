import type { FlameTable } from '@fleetflame/profile';

/**
 * A flame table of any size, the same for the same seed: a random tree in pre-order, up to 50 deep,
 * widths falling off as they do in profiles. For tests of culling and for measuring frames.
 */
export function syntheticFlame(nodes: number, seed: number): FlameTable {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
  const parent = new Int32Array(nodes);
  const depth = new Uint16Array(nodes);
  const subtreeEnd = new Int32Array(nodes);
  const frame = new Uint32Array(nodes);
  const total = new Float64Array(nodes);
  const self = new Float64Array(nodes);
  const names = Math.max(2, Math.min(60_000, Math.floor(nodes / 8)));
  parent[0] = -1;
  let path = [0];
  for (let node = 1; node < nodes; node++) {
    // Mostly one deeper, sometimes back up by a few.
    while (path.length > 1 && (path.length > 50 || random() < 0.46)) path.pop();
    const above = path.at(-1) ?? 0;
    parent[node] = above;
    depth[node] = depth[above]! + 1;
    frame[node] = 1 + Math.floor(random() ** 2 * (names - 1));
    self[node] = Math.floor(1 + 1 / (random() + 0.0005));
    path.push(node);
  }
  path = [];
  for (let node = nodes - 1; node >= 0; node--) {
    total[node] = total[node]! + self[node]!;
    if (subtreeEnd[node] === 0) subtreeEnd[node] = node + 1;
    const above = parent[node]!;
    if (above < 0) continue;
    total[above] = total[above]! + total[node]!;
    subtreeEnd[above] = Math.max(subtreeEnd[above]!, subtreeEnd[node]!);
  }
  const strings = ['', 'all'];
  const binaries = ['node', 'libc.so.6', 'postgres', '[kernel]', 'libjvm.so', 'gateway'];
  const firstBinary = strings.push(...binaries) - binaries.length;
  const firstName = strings.length;
  for (let f = 1; f < names; f++) strings.push(`module_${f % 97}::function_${f}`);
  return {
    length: nodes,
    parent,
    subtreeEnd,
    depth,
    frame,
    total,
    self,
    prunedNodes: new Uint32Array(nodes),
    frames: {
      length: names,
      name: Uint32Array.from({ length: names }, (_, f) => (f === 0 ? 1 : firstName + f - 1)),
      filename: new Uint32Array(names),
      binary: Uint32Array.from({ length: names }, (_, f) =>
        f === 0 ? 0 : firstBinary + (f % binaries.length),
      ),
      buildId: new Uint32Array(names),
      startLine: new Uint32Array(names),
      kind: Uint8Array.from({ length: names }, (_, f) => (f === 0 ? 6 : f % binaries.length === 3 ? 2 : 1)),
      named: new Uint8Array(names).fill(1),
      strings,
    },
  };
}
