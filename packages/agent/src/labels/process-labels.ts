import { basename } from 'node:path';
import { cleanValue } from './clean-value.ts';
import type { ProcessFacts } from './process-facts.ts';
import { NO_RESOURCE } from './resource.ts';

export const KERNEL_SERVICE = 'kernel';
export const UNKNOWN_SERVICE = '(unknown)';

/** What is the same for every process of the host. */
export interface HostLabels {
  readonly hostName: string;
  /** Added to every process; what a process says of itself goes before. host_name here overrides hostName. */
  readonly extra: Readonly<Record<string, string>>;
}

/** Kubernetes names that stand for a service, in the order OpenTelemetry recommends. */
const K8S_SERVICE_LABELS = [
  'k8s_deployment_name',
  'k8s_statefulset_name',
  'k8s_daemonset_name',
  'k8s_cronjob_name',
  'k8s_job_name',
  'k8s_container_name',
];

/**
 * The labels of a process, without thread_name. The service is the first of these that is known:
 *
 *   1. OTEL_SERVICE_NAME, then service.name of OTEL_RESOURCE_ATTRIBUTES
 *   2. "kernel" for kernel threads
 *   3. Kubernetes workload or container
 *   4. systemd unit, if it is a service, without ".service"
 *   5. name of a container that has one (LXC, systemd-nspawn)
 *   6. base name of the executable
 *   7. name of the main thread
 */
export function processLabels(facts: ProcessFacts, host: HostLabels): Record<string, string> {
  const labels: Record<string, string> = { host_name: host.hostName, ...host.extra };
  if (facts.kernelThread) {
    labels['service_name'] = KERNEL_SERVICE;
    return cleaned(labels);
  }
  const { cgroup, resource = NO_RESOURCE } = facts;
  const executable = basename(facts.executable);
  if (executable !== '') labels['process_executable_name'] = executable;
  set(labels, 'container_id', cgroup.containerId);
  set(labels, 'container_name', cgroup.containerName);
  set(labels, 'container_runtime', cgroup.runtime);
  set(labels, 'k8s_pod_uid', cgroup.podUid);
  set(labels, 'k8s_pod_qos_class', cgroup.podUid === undefined ? undefined : cgroup.podQos);
  set(labels, 'k8s_container_name', facts.k8sContainerName);
  // With the host's network a pod has the host's name: that would be no pod's.
  if (cgroup.podUid !== undefined && resource.hostname !== host.hostName) {
    set(labels, 'k8s_pod_name', resource.hostname);
  }
  set(labels, 'aws_ecs_task_id', cgroup.ecsTaskId);
  set(labels, 'systemd_unit', cgroup.unit);
  set(labels, 'systemd_slice', cgroup.slice);
  Object.assign(labels, resource.attributes);

  labels['service_name'] =
    resource.serviceName ??
    resource.attributes['service_name'] ??
    K8S_SERVICE_LABELS.map((name) => labels[name]).find((value) => value !== undefined && value !== '') ??
    serviceOfUnit(cgroup.unit) ??
    cgroup.containerName ??
    (executable || facts.comm || UNKNOWN_SERVICE);
  return cleaned(labels);
}

/** Scopes are sessions and transient groups: they name no service. */
function serviceOfUnit(unit: string | undefined): string | undefined {
  // user@1000.service is a login's manager; the programs in it are services of their own.
  if (unit === undefined || !unit.endsWith('.service') || unit.startsWith('user@')) return undefined;
  return unit.slice(0, -'.service'.length) || undefined;
}

function set(labels: Record<string, string>, name: string, value: string | undefined): void {
  if (value !== undefined && value !== '') labels[name] = value;
}

function cleaned(labels: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(labels)) {
    const clean = cleanValue(value);
    if (clean !== '') labels[name] = clean;
    else if (name === 'service_name') labels[name] = UNKNOWN_SERVICE;
    else delete labels[name];
  }
  return labels;
}
