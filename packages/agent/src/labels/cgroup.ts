/**
 * What a cgroup path tells of a process: container, Kubernetes pod, systemd unit. The path is the one
 * source that is there for every process, needs no socket of any runtime, and costs one small read.
 *
 *   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope
 *    └ driver: systemd                        └ quality of service  └ pod      └ runtime      └ container
 *
 * A path is read from the root to the leaf, one element after the other: what stands deeper overrides, so
 * that a container inside a container (kind, Docker in Docker) is the inner one, and a unit that runs
 * inside a system container is found as well as the container.
 */

export type ContainerRuntime =
  | 'docker'
  | 'containerd'
  | 'cri-o'
  | 'podman'
  | 'lxc'
  | 'nomad'
  | 'garden'
  | 'systemd-nspawn'
  | 'buildkit';

export interface CgroupFacts {
  containerId?: string;
  /** Only where the path has a name: LXC, systemd-nspawn, the task of Nomad. */
  containerName?: string;
  runtime?: ContainerRuntime;
  podUid?: string;
  podQos?: 'guaranteed' | 'burstable' | 'besteffort';
  ecsTaskId?: string;
  /** Innermost *.service, or *.scope where no service is below it. */
  unit?: string;
  slice?: string;
}

const CONTAINER_ID = /^[0-9a-f]{64}$/;
/** ECS on Fargate: the task's id and a number. */
const FARGATE_ID = /^([0-9a-f]{32})-\d+$/;
/** Without .scope: CRI-O and Podman with the cgroupfs driver, and Podman under a unit with split cgroups. */
const PREFIXED_ID = /^(crio|libpod|libpod-payload)-([0-9a-f]{64})$/;
const SCOPED_ID = /^(?:(.+)-)?([0-9a-f]{64})\.scope$/;
/** containerd told to use cgroupfs under a systemd host: one element with colons. */
const COLON_ID = /^([^:]+\.slice):([^:]+):([0-9a-f]{64})$/;
const POD =
  /(?:^|-)pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/;
const ECS_TASK_SLICE = /^ecstasks-([0-9a-f]{32})\.slice$/;
const ECS_TASK = /^(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;
/** Nomad: an allocation and the task in it, in /nomad.slice/share.slice or .../reserve.slice, or below /nomad. */
const NOMAD_TASK = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.(.+?)(?:\.scope)?$/;
const NOMAD_PARENT = /^(?:nomad(?:\.slice)?|(?:nomad-)?(?:share|reserve)(?:\.slice)?)$/;
/** Garden (Cloud Foundry): ids of its own, below a cgroup that is named for it; "good" and "bad" are shares of CPU. */
const GARDEN_PARENT = /^(?:garden(?:-.*)?|garden\.service)$/;
const GARDEN_SHARE = /^(?:good|bad)$/;
const GARDEN_ID = /^[0-9a-z][0-9a-z-]{7,63}$/;
const BUILDKIT_ID = /^[0-9a-z]{25}$/;

const SCOPE_RUNTIMES: Readonly<Record<string, ContainerRuntime>> = {
  docker: 'docker',
  'cri-containerd': 'containerd',
  nerdctl: 'containerd',
  containerd: 'containerd',
  crio: 'cri-o',
  libpod: 'podman',
  'libpod-payload': 'podman',
};

/** Reads the text of /proc/PID/cgroup, version 1, 2 or both. */
export function parseCgroup(text: string): CgroupFacts {
  const facts: CgroupFacts = {};
  // Version 2 and systemd's own hierarchy know most; the controllers of version 1 fill in the rest.
  const lines = text
    .split('\n')
    .map(splitLine)
    .sort((a, b) => a.rank - b.rank);
  for (const { path } of lines) {
    const found = parseCgroupPath(path);
    if (facts.containerId !== undefined && found.containerId !== facts.containerId) continue;
    // A unit or slice comes from one path with its container, never from two.
    if (found.containerId !== undefined && facts.containerId === undefined) {
      delete facts.unit;
      delete facts.slice;
    }
    // What was found first, in the path that knows most, goes before.
    Object.assign(facts, { ...found, ...facts });
  }
  return facts;
}

function splitLine(line: string): { readonly rank: number; readonly path: string } {
  const first = line.indexOf(':');
  const second = line.indexOf(':', first + 1);
  if (first < 0 || second < 0) return { rank: 9, path: '' };
  const controllers = line.slice(first + 1, second);
  const rank = controllers === '' ? 0 : controllers === 'name=systemd' ? 1 : 2;
  return { rank, path: line.slice(second + 1) };
}

/** Reads one path, such as /system.slice/docker-<id>.scope. */
export function parseCgroupPath(path: string): CgroupFacts {
  const facts: CgroupFacts = {};
  // The kernel marks a cgroup that was removed under a process.
  const elements = path.replace(/ \(deleted\)$/, '').split('/');
  let previous = '';
  let beforePrevious = '';
  for (const element of elements) {
    if (element === '' || element === '..' || element === '.') continue;
    readElement(facts, element, previous, beforePrevious);
    beforePrevious = previous;
    previous = element;
  }
  return facts;
}

function readElement(facts: CgroupFacts, element: string, parent: string, grandparent: string): void {
  if (readPod(facts, element)) return;
  if (readContainer(facts, element, parent, grandparent)) return;
  if (element.endsWith('.slice')) {
    const task = ECS_TASK_SLICE.exec(element);
    if (task?.[1] !== undefined) facts.ecsTaskId = task[1];
    facts.slice = unescapeUnit(element);
    // A slice below a service belongs to a user's own manager: what follows is another unit.
    if (facts.unit !== undefined) delete facts.unit;
  } else if (element.endsWith('.service')) {
    readNspawnService(facts, element);
    facts.unit = unescapeUnit(element);
  } else if (element.endsWith('.scope')) {
    readMachineScope(facts, element);
    facts.unit = unescapeUnit(element);
  }
}

function readPod(facts: CgroupFacts, element: string): boolean {
  const colon = COLON_ID.exec(element);
  if (colon?.[1] !== undefined && colon[3] !== undefined) {
    readPod(facts, colon[1]);
    enterContainer(facts, colon[3], SCOPE_RUNTIMES[colon[2] ?? '']);
    return true;
  }
  if (element === 'kubepods' || element === 'kubepods.slice' || element === 'kubelet-kubepods.slice') {
    facts.podQos = 'guaranteed';
    delete facts.unit;
    if (element.endsWith('.slice')) facts.slice = element;
    return true;
  }
  const qos = /(?:^|kubepods-)(burstable|besteffort)(?:$|\.slice$|-pod)/.exec(element)?.[1];
  if (qos === 'burstable' || qos === 'besteffort') facts.podQos = qos;
  const pod = POD.exec(element)?.[1];
  if (pod !== undefined) {
    facts.podUid = pod.replaceAll('_', '-');
    facts.podQos ??= 'guaranteed';
    delete facts.unit;
  }
  if (pod === undefined && qos === undefined) return false;
  if (element.endsWith('.slice')) facts.slice = element;
  return true;
}

function readContainer(facts: CgroupFacts, element: string, parent: string, grandparent: string): boolean {
  if (CONTAINER_ID.test(element)) {
    const runtime = parent === 'docker' || parent === 'ecs' || grandparent === 'ecs' ? 'docker' : undefined;
    if (grandparent === 'ecs' && ECS_TASK.test(parent)) facts.ecsTaskId = parent;
    enterContainer(facts, element, runtime);
    return true;
  }
  const prefixed = PREFIXED_ID.exec(element);
  if (prefixed?.[1] !== undefined && prefixed[2] !== undefined) {
    enterContainer(facts, prefixed[2], SCOPE_RUNTIMES[prefixed[1]]);
    return true;
  }
  const nomad = NOMAD_PARENT.test(parent) ? NOMAD_TASK.exec(element) : undefined;
  if (nomad?.[1] !== undefined && nomad[2] !== undefined) {
    enterContainer(facts, nomad[1], 'nomad');
    facts.containerName = unescapeUnit(nomad[2]);
    return true;
  }
  const inGarden =
    GARDEN_PARENT.test(parent) || (GARDEN_SHARE.test(parent) && GARDEN_PARENT.test(grandparent));
  if (inGarden && GARDEN_ID.test(element) && !CONTAINER_ID.test(element)) {
    enterContainer(facts, element, 'garden');
    return true;
  }
  const scope = SCOPED_ID.exec(element);
  if (scope?.[2] !== undefined) {
    const prefix = scope[1] ?? '';
    // conmon watches the container from outside of it.
    if (prefix.endsWith('-conmon')) return false;
    enterContainer(facts, scope[2], SCOPE_RUNTIMES[prefix]);
    return true;
  }
  const fargate = FARGATE_ID.exec(element);
  if (fargate?.[1] !== undefined && (grandparent === 'ecs' || parent === fargate[1])) {
    facts.ecsTaskId = fargate[1];
    enterContainer(facts, element, undefined);
    return true;
  }
  if (parent === 'buildkit' && BUILDKIT_ID.test(element)) {
    enterContainer(facts, element, 'buildkit');
    return true;
  }
  const lxc =
    parent === 'lxc' || parent === 'lxc.payload' ? element : /^lxc\.payload\.(.+)$/.exec(element)?.[1];
  if (lxc !== undefined) {
    facts.containerName = lxc;
    facts.runtime = 'lxc';
    delete facts.unit;
    delete facts.slice;
    return true;
  }
  return false;
}

function enterContainer(facts: CgroupFacts, id: string, runtime: ContainerRuntime | undefined): void {
  facts.containerId = id;
  if (runtime === undefined) delete facts.runtime;
  else facts.runtime = runtime;
  // A unit above the container is the runtime's; one below it is the container's own.
  delete facts.unit;
}

function readNspawnService(facts: CgroupFacts, element: string): void {
  const name = /^systemd-nspawn@(.+)\.service$/.exec(element)?.[1];
  if (name === undefined) return;
  facts.containerName = unescapeUnit(name);
  facts.runtime = 'systemd-nspawn';
}

function readMachineScope(facts: CgroupFacts, element: string): void {
  const name = /^machine-(.+)\.scope$/.exec(element)?.[1];
  // Virtual machines of libvirt stand in the same slice, as machine-qemu\x2d1\x2dname.scope.
  if (name === undefined || name.startsWith('qemu')) return;
  facts.containerName = unescapeUnit(name);
  facts.runtime = 'systemd-nspawn';
}

/** Undoes systemd's escaping of unit names: \x2d is "-". */
function unescapeUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
