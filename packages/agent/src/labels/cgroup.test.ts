import { describe, expect, test } from 'vitest';
import { type CgroupFacts, parseCgroup, parseCgroupPath } from './cgroup.ts';

const ID = '3f4e1c2b5a6978879a6b5c4d3e2f1a0b3f4e1c2b5a6978879a6b5c4d3e2f1a0b';
const OUTER = 'a'.repeat(64);
const UID = '1b2c3d4e-5f60-4718-92a3-b4c5d6e7f809';
const UID_UNDERSCORES = UID.replaceAll('-', '_');
const TASK = '0123456789abcdef0123456789abcdef';

const PATHS: readonly (readonly [what: string, path: string, facts: CgroupFacts])[] = [
  ['the root', '/', {}],
  ['init', '/init.scope', { unit: 'init.scope' }],
  ['Docker, cgroupfs driver', `/docker/${ID}`, { containerId: ID, runtime: 'docker' }],
  [
    'Docker, systemd driver',
    `/system.slice/docker-${ID}.scope`,
    { containerId: ID, runtime: 'docker', slice: 'system.slice' },
  ],
  ['Docker in Docker', `/docker/${OUTER}/docker/${ID}`, { containerId: ID, runtime: 'docker' }],
  [
    'the Docker daemon itself',
    '/system.slice/docker.service',
    { unit: 'docker.service', slice: 'system.slice' },
  ],
  [
    'a unit inside a container',
    `/docker/${ID}/system.slice/nginx.service`,
    { containerId: ID, runtime: 'docker', slice: 'system.slice', unit: 'nginx.service' },
  ],
  [
    'Podman',
    `/machine.slice/libpod-${ID}.scope/container`,
    { containerId: ID, runtime: 'podman', slice: 'machine.slice' },
  ],
  [
    'Podman of a user',
    `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope`,
    { containerId: ID, runtime: 'podman', slice: 'user.slice' },
  ],
  [
    'the monitor of a Podman container, which is outside of it',
    `/machine.slice/libpod-conmon-${ID}.scope`,
    { slice: 'machine.slice', unit: `libpod-conmon-${ID}.scope` },
  ],
  [
    'nerdctl, systemd driver',
    `/system.slice/nerdctl-${ID}.scope`,
    { containerId: ID, runtime: 'containerd', slice: 'system.slice' },
  ],
  ['nerdctl, cgroupfs driver', `/default/${ID}`, { containerId: ID }],
  [
    'Kubernetes, cgroupfs driver, burstable',
    `/kubepods/burstable/pod${UID}/${ID}`,
    { containerId: ID, podUid: UID, podQos: 'burstable' },
  ],
  [
    'Kubernetes, cgroupfs driver, guaranteed',
    `/kubepods/pod${UID}/${ID}`,
    { containerId: ID, podUid: UID, podQos: 'guaranteed' },
  ],
  [
    'Kubernetes, static pod with a hash for its uid',
    `/kubepods/besteffort/pod${TASK}/${ID}`,
    { containerId: ID, podUid: TASK, podQos: 'besteffort' },
  ],
  [
    'Kubernetes, systemd driver, containerd, besteffort',
    `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_UNDERSCORES}.slice/cri-containerd-${ID}.scope`,
    {
      containerId: ID,
      podUid: UID,
      podQos: 'besteffort',
      runtime: 'containerd',
      slice: `kubepods-besteffort-pod${UID_UNDERSCORES}.slice`,
    },
  ],
  [
    'Kubernetes, systemd driver, CRI-O, guaranteed',
    `/kubepods.slice/kubepods-pod${UID_UNDERSCORES}.slice/crio-${ID}.scope`,
    {
      containerId: ID,
      podUid: UID,
      podQos: 'guaranteed',
      runtime: 'cri-o',
      slice: `kubepods-pod${UID_UNDERSCORES}.slice`,
    },
  ],
  [
    'CRI-O with a cgroup of the container below its scope',
    `/kubepods.slice/kubepods-pod${UID_UNDERSCORES}.slice/crio-${ID}.scope/container`,
    {
      containerId: ID,
      podUid: UID,
      podQos: 'guaranteed',
      runtime: 'cri-o',
      slice: `kubepods-pod${UID_UNDERSCORES}.slice`,
    },
  ],
  [
    'Kubernetes, cgroupfs driver, CRI-O',
    `/kubepods/burstable/pod${UID}/crio-${ID}`,
    { containerId: ID, podUid: UID, podQos: 'burstable', runtime: 'cri-o' },
  ],
  [
    'CRI-O with cgroupfs and a cgroup of the container below',
    `/kubepods/besteffort/pod${UID}/crio-${ID}/container`,
    { containerId: ID, podUid: UID, podQos: 'besteffort', runtime: 'cri-o' },
  ],
  [
    'the monitor of a CRI-O container',
    `/kubepods/pod${UID}/crio-conmon-${ID}`,
    { podUid: UID, podQos: 'guaranteed' },
  ],
  ['Podman, cgroupfs driver', `/libpod_parent/libpod-${ID}`, { containerId: ID, runtime: 'podman' }],
  ['the monitor of Podman with cgroupfs', `/libpod_parent/libpod-conmon-${ID}`, {}],
  [
    'Podman in a pod, cgroupfs driver',
    `/libpod_parent/${OUTER}/libpod-${ID}`,
    { containerId: ID, runtime: 'podman' },
  ],
  [
    'Podman under a unit, whose cgroup it splits',
    `/system.slice/shop.service/libpod-payload-${ID}`,
    { containerId: ID, runtime: 'podman', slice: 'system.slice' },
  ],
  [
    'a unit in a container of Podman under a unit',
    `/system.slice/shop.service/libpod-payload-${ID}/system.slice/nginx.service`,
    { containerId: ID, runtime: 'podman', slice: 'system.slice', unit: 'nginx.service' },
  ],
  [
    'what watches Podman under a unit',
    '/system.slice/shop.service/supervisor',
    { slice: 'system.slice', unit: 'shop.service' },
  ],
  [
    'Nomad with cgroup v2',
    `/nomad.slice/share.slice/${UID}.web.scope`,
    { containerId: UID, containerName: 'web', runtime: 'nomad', slice: 'share.slice' },
  ],
  [
    'Nomad with cgroup v2 and cores of its own',
    `/nomad.slice/reserve.slice/${UID}.db.primary.scope`,
    { containerId: UID, containerName: 'db.primary', runtime: 'nomad', slice: 'reserve.slice' },
  ],
  ['Nomad with cgroup v1', `/nomad/${UID}.web`, { containerId: UID, containerName: 'web', runtime: 'nomad' }],
  [
    'Nomad with cgroup v1, shared',
    `/nomad/share/${UID}.web`,
    { containerId: UID, containerName: 'web', runtime: 'nomad' },
  ],
  [
    'Docker started by Nomad',
    `/nomad.slice/docker-${ID}.scope`,
    { containerId: ID, runtime: 'docker', slice: 'nomad.slice' },
  ],
  [
    'Garden',
    '/garden/6f265890-5165-7fab-6b52-18d1',
    { containerId: '6f265890-5165-7fab-6b52-18d1', runtime: 'garden' },
  ],
  [
    'Garden with shares of CPU',
    '/system.slice/garden.service/garden/good/6f265890-5165-7fab-6b52-18d1',
    { containerId: '6f265890-5165-7fab-6b52-18d1', runtime: 'garden', slice: 'system.slice' },
  ],
  [
    'the Garden server itself',
    '/system.slice/garden.service',
    { unit: 'garden.service', slice: 'system.slice' },
  ],
  [
    'Kubernetes, systemd driver, Docker',
    `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_UNDERSCORES}.slice/docker-${ID}.scope`,
    {
      containerId: ID,
      podUid: UID,
      podQos: 'burstable',
      runtime: 'docker',
      slice: `kubepods-burstable-pod${UID_UNDERSCORES}.slice`,
    },
  ],
  [
    'Kubernetes, containerd with cgroupfs under systemd',
    `/system.slice/containerd.service/kubepods-burstable-pod${UID_UNDERSCORES}.slice:cri-containerd:${ID}`,
    {
      containerId: ID,
      podUid: UID,
      podQos: 'burstable',
      runtime: 'containerd',
      slice: `kubepods-burstable-pod${UID_UNDERSCORES}.slice`,
    },
  ],
  [
    'kind: a node that is a container',
    `/docker/${OUTER}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${UID_UNDERSCORES}.slice/cri-containerd-${ID}.scope`,
    {
      containerId: ID,
      podUid: UID,
      podQos: 'burstable',
      runtime: 'containerd',
      slice: `kubelet-kubepods-burstable-pod${UID_UNDERSCORES}.slice`,
    },
  ],
  [
    'the agent in a container of its own cgroup namespace',
    `/../../pod${UID}/${ID}`,
    { containerId: ID, podUid: UID, podQos: 'guaranteed' },
  ],
  ['ECS on EC2', `/ecs/${TASK}/${ID}`, { containerId: ID, ecsTaskId: TASK, runtime: 'docker' }],
  ['ECS with a uuid', `/ecs/${UID}/${ID}`, { containerId: ID, ecsTaskId: UID, runtime: 'docker' }],
  ['ECS on Fargate', `/ecs/${TASK}/${TASK}-527074092`, { containerId: `${TASK}-527074092`, ecsTaskId: TASK }],
  [
    'ECS with cgroup v2',
    `/ecstasks.slice/ecstasks-${TASK}.slice/docker-${ID}.scope`,
    { containerId: ID, ecsTaskId: TASK, runtime: 'docker', slice: `ecstasks-${TASK}.slice` },
  ],
  ['LXC of old', '/lxc/web1', { containerName: 'web1', runtime: 'lxc' }],
  ['LXC', '/lxc.payload.web1', { containerName: 'web1', runtime: 'lxc' }],
  [
    'a service in LXC',
    '/lxc.payload.web1/system.slice/postgresql@15-main.service',
    { containerName: 'web1', runtime: 'lxc', slice: 'system.slice', unit: 'postgresql@15-main.service' },
  ],
  ['the monitor of LXC, which is outside', '/lxc.monitor.web1', {}],
  [
    'systemd-nspawn by machinectl',
    '/machine.slice/systemd-nspawn@build\\x2dhost.service/payload/system.slice/cron.service',
    { containerName: 'build-host', runtime: 'systemd-nspawn', slice: 'system.slice', unit: 'cron.service' },
  ],
  [
    'systemd-nspawn by hand',
    '/machine.slice/machine-deb\\x2d12.scope/payload',
    {
      containerName: 'deb-12',
      runtime: 'systemd-nspawn',
      slice: 'machine.slice',
      unit: 'machine-deb-12.scope',
    },
  ],
  [
    'a virtual machine of libvirt is no container',
    '/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator',
    { slice: 'machine.slice', unit: 'machine-qemu-1-vm.scope' },
  ],
  [
    'BuildKit',
    '/docker/buildkit/mfpm1y39bexm1f2n8mmzcvfrp',
    { containerId: 'mfpm1y39bexm1f2n8mmzcvfrp', runtime: 'buildkit' },
  ],
  ['a service', '/system.slice/nginx.service', { slice: 'system.slice', unit: 'nginx.service' }],
  [
    'a service of a template, in a slice of its own',
    '/system.slice/system-getty.slice/getty@tty1.service',
    { slice: 'system-getty.slice', unit: 'getty@tty1.service' },
  ],
  [
    'a removed service',
    '/system.slice/nginx.service (deleted)',
    { slice: 'system.slice', unit: 'nginx.service' },
  ],
  [
    'a login',
    '/user.slice/user-1000.slice/session-3.scope',
    { slice: 'user-1000.slice', unit: 'session-3.scope' },
  ],
  [
    'the manager of a login',
    '/user.slice/user-1000.slice/user@1000.service/init.scope',
    { slice: 'user-1000.slice', unit: 'init.scope' },
  ],
  [
    'a service of a login',
    '/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service',
    { slice: 'app.slice', unit: 'syncthing.service' },
  ],
  [
    'an application of a desktop',
    '/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-2215.scope',
    { slice: 'app.slice', unit: 'app-gnome-firefox-2215.scope' },
  ],
  ['something unheard of', '/jobs/bba096822af423d6cbae3b4d4844d678', {}],
];

describe('a cgroup path tells what it can of', () => {
  test.each(PATHS)('%s', (_, path, facts) => {
    expect(parseCgroupPath(path)).toEqual(facts);
  });
});

test('version 1 has a path per controller, of which the one with the container counts', () => {
  const text = [
    '12:pids:/system.slice/docker.service',
    `11:memory:/docker/${ID}`,
    '1:name=systemd:/system.slice/docker.service',
    '0::/',
    '',
  ].join('\n');
  expect(parseCgroup(text)).toEqual({ containerId: ID, runtime: 'docker' });
});

test('with both versions systemd says the unit in its own hierarchy', () => {
  const text = '4:memory:/\n1:name=systemd:/system.slice/cron.service\n0::/\n';
  expect(parseCgroup(text)).toEqual({ unit: 'cron.service', slice: 'system.slice' });
});

test('text that is no cgroup file says nothing', () => {
  for (const text of ['', '\n\n', 'nonsense', ':', '::', '0::', 'a:b']) expect(parseCgroup(text)).toEqual({});
});
