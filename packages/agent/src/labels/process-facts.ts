import { type CgroupFacts, parseCgroup } from './cgroup.ts';
import type { ContainerNames } from './container-names.ts';
import type { ProcFiles } from './proc-files.ts';
import { NO_RESOURCE, type ResourceFacts, parseEnviron } from './resource.ts';

/** What is known of a process. Forked children start with their parent's. */
export interface ProcessFacts {
  readonly kernelThread: boolean;
  /** Path of the executable as the process sees it, "" when unknown. */
  readonly executable: string;
  /** Name of the main thread. */
  readonly comm: string;
  readonly cgroup: CgroupFacts;
  /** Undefined: its environment is empty, as it is for a moment during exec. */
  readonly resource: ResourceFacts | undefined;
  readonly k8sContainerName: string | undefined;
}

/** Two variables are wanted; environments larger than this are read up to here. */
const MAX_ENVIRON_BYTES = 256 * 1024;
const MAX_CGROUP_BYTES = 16 * 1024;
const MAX_STAT_BYTES = 1024;
const PF_KTHREAD = 0x0020_0000;
/** Field 9 of /proc/PID/stat, counted from behind the ")" that ends the name, whose first field is 3. */
const FLAGS_FIELD = 9 - 3;

/** What the record of a process's mapping told already: then it is no kernel thread, and two files less are read. */
export interface KnownProgram {
  readonly executable: string;
  readonly comm: string;
}

/**
 * Reads a process from /proc, undefined when it is gone or only waits for its parent (a zombie has a cgroup but
 * no memory). Every file is optional: without permission, what can be read is used.
 */
export function readProcessFacts(
  files: ProcFiles,
  containerNames: ContainerNames,
  pid: number,
  known: KnownProgram,
): ProcessFacts | undefined {
  if (known.executable !== '' && known.comm !== '') {
    const text = files.read(pid, 'cgroup', MAX_CGROUP_BYTES)?.toString('utf8');
    return text === undefined ? undefined : userProcess(files, containerNames, pid, parseCgroup(text), known);
  }
  const stat = files.read(pid, 'stat', MAX_STAT_BYTES)?.toString('utf8');
  if (stat === undefined) return undefined;
  const nameEnd = stat.lastIndexOf(')');
  const comm = stat.slice(stat.indexOf('(') + 1, nameEnd);
  const flags = Number(stat.slice(nameEnd + 2).split(' ', FLAGS_FIELD + 1)[FLAGS_FIELD]);
  const cgroup = parseCgroup(files.read(pid, 'cgroup', MAX_CGROUP_BYTES)?.toString('utf8') ?? '');
  if ((flags & PF_KTHREAD) !== 0) {
    return {
      kernelThread: true,
      executable: '',
      comm,
      cgroup: {},
      resource: NO_RESOURCE,
      k8sContainerName: undefined,
    };
  }
  return userProcess(files, containerNames, pid, cgroup, { executable: files.link(pid, 'exe') ?? '', comm });
}

function userProcess(
  files: ProcFiles,
  containerNames: ContainerNames,
  pid: number,
  cgroup: CgroupFacts,
  { executable, comm }: KnownProgram,
): ProcessFacts | undefined {
  const environ = files.readMemory(pid, 'environ', MAX_ENVIRON_BYTES);
  const isEmpty = environ !== undefined && environ.length === 0;
  // Of a zombie it is empty or cannot be opened, depending on the kernel.
  if ((environ === undefined || isEmpty) && !files.hasProgram(pid)) return undefined;
  return {
    kernelThread: false,
    executable: stripDeleted(executable),
    comm,
    cgroup,
    resource: environ === undefined ? NO_RESOURCE : isEmpty ? undefined : parseEnviron(environ),
    k8sContainerName: containerNames.nameOf(pid, cgroup),
  };
}

/** The kernel marks paths of unlinked files; an upgraded program is still that program. */
export function stripDeleted(path: string): string {
  return path.endsWith(' (deleted)') ? path.slice(0, -' (deleted)'.length) : path;
}
