import type { CgroupFacts } from './cgroup.ts';
import type { ProcFiles } from './proc-files.ts';

/** Names of containers kept, oldest out first. A node runs a few hundred at most. */
const MAX_CONTAINERS = 4096;
const MAX_MOUNTINFO_BYTES = 256 * 1024;

/**
 * The name that a pod's specification gives a container. The cgroup path has only ids, but the kubelet
 * mounts a container's termination log from a directory that has the name:
 *
 *   /var/lib/kubelet/pods/<pod uid>/containers/<container name>/<hash>  on  /dev/termination-log
 *
 * Read once per container.
 */
export class ContainerNames {
  readonly #files: ProcFiles;
  /** Container id → name, "" when the mounts do not tell. */
  readonly #names = new Map<string, string>();

  constructor(files: ProcFiles) {
    this.#files = files;
  }

  nameOf(pid: number, cgroup: CgroupFacts): string | undefined {
    const { containerId, podUid } = cgroup;
    if (containerId === undefined || podUid === undefined) return undefined;
    let name = this.#names.get(containerId);
    if (name === undefined) {
      name = containerNameFromMounts(
        this.#files.read(pid, 'mountinfo', MAX_MOUNTINFO_BYTES)?.toString('utf8') ?? '',
        podUid,
      );
      if (this.#names.size >= MAX_CONTAINERS) {
        for (const oldest of this.#names.keys()) {
          this.#names.delete(oldest);
          break;
        }
      }
      this.#names.set(containerId, name);
    }
    return name === '' ? undefined : name;
  }
}

/** Reads the text of /proc/PID/mountinfo; "" when it has no name. */
export function containerNameFromMounts(mountinfo: string, podUid: string): string {
  const marker = `/pods/${podUid}/containers/`;
  const at = mountinfo.indexOf(marker);
  if (at < 0) return '';
  const rest = mountinfo.slice(at + marker.length, at + marker.length + 256);
  const end = rest.search(/[/\s]/);
  return end < 0 ? '' : rest.slice(0, end);
}
