import { describe, expect, test } from 'vitest';
import { MAX_LABEL_VALUE_LENGTH, cleanValue } from './clean-value.ts';
import { containerNameFromMounts } from './container-names.ts';
import type { ProcessFacts } from './process-facts.ts';
import { type HostLabels, processLabels } from './process-labels.ts';
import { NO_RESOURCE, parseEnviron, parseResourceAttributes } from './resource.ts';

const HOST: HostLabels = { hostName: 'web-7', extra: { cloud_region: 'eu-north-1' } };

function facts(partial: Partial<ProcessFacts>): ProcessFacts {
  return {
    kernelThread: false,
    executable: '/usr/sbin/nginx',
    comm: 'nginx',
    cgroup: {},
    resource: NO_RESOURCE,
    k8sContainerName: undefined,
    ...partial,
  };
}

function environ(...variables: string[]): ProcessFacts['resource'] {
  return parseEnviron(Buffer.from(variables.map((variable) => `${variable}\0`).join('')));
}

const UNIT = { unit: 'front.service', slice: 'system.slice' };
const POD = { podUid: 'p', podQos: 'burstable' as const, containerId: 'c' };

describe('the service of a process is', () => {
  const cases: readonly (readonly [what: string, facts: ProcessFacts, service: string])[] = [
    [
      'OTEL_SERVICE_NAME before everything',
      facts({
        cgroup: { ...POD, ...UNIT },
        k8sContainerName: 'app',
        resource: environ('OTEL_SERVICE_NAME=shop', 'OTEL_RESOURCE_ATTRIBUTES=service.name=other'),
      }),
      'shop',
    ],
    [
      'then service.name',
      facts({
        cgroup: UNIT,
        resource: environ('OTEL_RESOURCE_ATTRIBUTES=service.version=1,service.name=cart'),
      }),
      'cart',
    ],
    [
      'then the workload of Kubernetes',
      facts({
        cgroup: POD,
        k8sContainerName: 'app',
        resource: environ('OTEL_RESOURCE_ATTRIBUTES=k8s.deployment.name=checkout,k8s.pod.name=checkout-5d'),
      }),
      'checkout',
    ],
    ['then the container of the pod', facts({ cgroup: POD, k8sContainerName: 'app' }), 'app'],
    ['then the systemd service', facts({ cgroup: { ...UNIT, containerName: 'lxc1' } }), 'front'],
    ['then the name of a system container', facts({ cgroup: { containerName: 'lxc1' } }), 'lxc1'],
    ['then the executable', facts({ cgroup: { unit: 'session-3.scope' } }), 'nginx'],
    ['not the manager of a login', facts({ cgroup: { unit: 'user@1000.service' } }), 'nginx'],
    ['then the main thread', facts({ executable: '', comm: 'worker' }), 'worker'],
    ['and otherwise not known', facts({ executable: '', comm: '' }), '(unknown)'],
    ['"kernel" for kernel threads', facts({ kernelThread: true, executable: '', comm: 'kswapd0' }), 'kernel'],
  ];
  test.each(cases)('%s', (_, facts, service) => {
    expect(processLabels(facts, HOST)['service_name']).toBe(service);
  });
});

test('labels of the host are on every process and what a process says of itself goes before them', () => {
  const resource = environ('OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=staging');
  const host = { hostName: 'web-7', extra: { deployment_environment_name: 'production' } };
  expect(processLabels(facts({ resource }), host)).toEqual({
    host_name: 'web-7',
    service_name: 'nginx',
    process_executable_name: 'nginx',
    deployment_environment_name: 'staging',
  });
  expect(processLabels(facts({ kernelThread: true }), HOST)).toEqual({
    host_name: 'web-7',
    cloud_region: 'eu-north-1',
    service_name: 'kernel',
  });
});

test('a pod has its name from HOSTNAME, unless it uses the network of the host', () => {
  const inPod = facts({ cgroup: POD, resource: environ('HOSTNAME=front-6c9-x7') });
  expect(processLabels(inPod, HOST)['k8s_pod_name']).toBe('front-6c9-x7');
  const onHostNetwork = facts({ cgroup: POD, resource: environ('HOSTNAME=web-7') });
  expect(processLabels(onHostNetwork, HOST)['k8s_pod_name']).toBeUndefined();
  const noPod = facts({ resource: environ('HOSTNAME=somewhere') });
  expect(processLabels(noPod, HOST)['k8s_pod_name']).toBeUndefined();
});

test('only the listed resource attributes are taken, percent-decoded', () => {
  expect(
    parseResourceAttributes(
      'service.name=my%20shop, service.namespace = a ,secret=42,service.version=,process.pid=7,deployment.environment=old,=x,y',
    ),
  ).toEqual({ service_name: 'my shop', service_namespace: 'a', deployment_environment_name: 'old' });
  expect(parseResourceAttributes('service.name=100%')).toEqual({ service_name: '100%' });
  expect(parseResourceAttributes('__proto__=x,constructor=y')).toEqual({});
});

test('a variable whose name only ends like the wanted one is another', () => {
  expect(environ('MY_OTEL_SERVICE_NAME=no', 'OTEL_SERVICE_NAME=yes')?.serviceName).toBe('yes');
  expect(environ('PATH=/OTEL_SERVICE_NAME=no')?.serviceName).toBeUndefined();
  expect(environ('OTEL_SERVICE_NAME=')?.serviceName).toBeUndefined();
});

test('values are well-formed, without control characters, and bounded', () => {
  expect(cleanValue(' a\u0000b\n\tc ')).toBe('a b c');
  expect(cleanValue('x\uD800y')).toBe('x\uFFFDy');
  const long = cleanValue('\u{1F525}'.repeat(MAX_LABEL_VALUE_LENGTH));
  expect(long.length).toBeLessThanOrEqual(MAX_LABEL_VALUE_LENGTH);
  expect(long.isWellFormed()).toBe(true);
  expect(long.endsWith('…')).toBe(true);
  const bytes = Buffer.concat([Buffer.from('OTEL_SERVICE_NAME=a'), Buffer.from([0xff, 0xfe, 0])]);
  const labels = processLabels(facts({ resource: parseEnviron(bytes) }), HOST);
  expect(labels['service_name']).toBe('a\uFFFD\uFFFD');
});

test('the kubelet writes the name of a container into its mounts', () => {
  const line =
    '1542 1531 8:1 /var/lib/kubelet/pods/1b2c/containers/payments/7f3a9e01 /dev/termination-log rw,relatime - ext4 /dev/sda1 rw';
  expect(containerNameFromMounts(`1 2 3\n${line}\n`, '1b2c')).toBe('payments');
  expect(containerNameFromMounts(line, 'other')).toBe('');
});
