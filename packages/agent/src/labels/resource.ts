/**
 * What a process says of itself in OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES. Nothing else of an
 * environment is looked at or kept: it is full of secrets.
 */

/** Attributes taken from OTEL_RESOURCE_ATTRIBUTES: those that group processes, none that is unique per process. */
export const RESOURCE_ATTRIBUTES: Readonly<Record<string, string>> = {
  'service.name': 'service_name',
  'service.namespace': 'service_namespace',
  'service.version': 'service_version',
  'deployment.environment.name': 'deployment_environment_name',
  'deployment.environment': 'deployment_environment_name',
  'k8s.cluster.name': 'k8s_cluster_name',
  'k8s.namespace.name': 'k8s_namespace_name',
  'k8s.node.name': 'k8s_node_name',
  'k8s.deployment.name': 'k8s_deployment_name',
  'k8s.statefulset.name': 'k8s_statefulset_name',
  'k8s.daemonset.name': 'k8s_daemonset_name',
  'k8s.job.name': 'k8s_job_name',
  'k8s.cronjob.name': 'k8s_cronjob_name',
  'k8s.pod.name': 'k8s_pod_name',
  'k8s.container.name': 'k8s_container_name',
};

export interface ResourceFacts {
  /** OTEL_SERVICE_NAME. */
  readonly serviceName: string | undefined;
  /** By label name, from OTEL_RESOURCE_ATTRIBUTES. */
  readonly attributes: Readonly<Record<string, string>>;
  /** HOSTNAME: in a pod, the pod's name. Used only for pods. */
  readonly hostname: string | undefined;
}

export const NO_RESOURCE: ResourceFacts = { serviceName: undefined, attributes: {}, hostname: undefined };

/** Reads the bytes of /proc/PID/environ: NAME=value, separated by NUL. */
export function parseEnviron(environ: Uint8Array): ResourceFacts {
  const text = Buffer.from(environ.buffer, environ.byteOffset, environ.byteLength);
  const attributes = findVariable(text, 'OTEL_RESOURCE_ATTRIBUTES');
  return {
    serviceName: findVariable(text, 'OTEL_SERVICE_NAME')?.trim() || undefined,
    attributes: attributes === undefined ? {} : parseResourceAttributes(attributes),
    hostname: findVariable(text, 'HOSTNAME')?.trim() || undefined,
  };
}

function findVariable(environ: Buffer, name: string): string | undefined {
  const wanted = `${name}=`;
  for (let from = 0; ;) {
    const at = environ.indexOf(wanted, from, 'latin1');
    if (at < 0) return undefined;
    if (at === 0 || environ[at - 1] === 0) {
      const end = environ.indexOf(0, at);
      return environ.toString('utf8', at + wanted.length, end < 0 ? environ.length : end);
    }
    from = at + 1;
  }
}

/**
 * Reads key1=value1,key2=value2 with percent-encoded values (W3C Baggage, as OpenTelemetry specifies it),
 * keeping only RESOURCE_ATTRIBUTES.
 */
export function parseResourceAttributes(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=');
    if (equals < 0) continue;
    const key = pair.slice(0, equals).trim();
    if (!Object.hasOwn(RESOURCE_ATTRIBUTES, key)) continue;
    const label = RESOURCE_ATTRIBUTES[key];
    const value = decodePercent(pair.slice(equals + 1).trim());
    if (label !== undefined && value !== '') attributes[label] ??= value;
  }
  return attributes;
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Not percent-encoded after all: as written is the best reading.
  }
}
