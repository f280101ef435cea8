import * as net from 'node:net';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import { Door } from './door.ts';
import type { DoorLimits } from './limits.ts';

const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const work of cleanUp.splice(0).toReversed()) await work();
});

async function start(limits: Partial<DoorLimits>, trustedProxies: string[] = []) {
  const registry = new Registry();
  const door = new Door({
    registry,
    log: pino({ level: 'silent' }),
    host: '127.0.0.1',
    limits,
    trustedProxies,
  });
  const port = door.open(({ response, path }) => {
    if (path !== '/never') response.end('ok');
  });
  const bound = await port.listen('127.0.0.1', 0);
  cleanUp.push(() => port.close(0));
  return { registry, port, bound };
}

/** An open connection of one of loopback's many addresses, and what it is told. */
async function open(port: number, address: string, say = '') {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: address });
  let heard = '';
  socket.on('data', (bytes) => (heard += bytes.toString()));
  socket.on('error', () => undefined);
  cleanUp.push(() => void socket.destroy());
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', () => resolve()));
  socket.write(say);
  return {
    socket,
    heard: () => heard,
    closed: new Promise<void>((resolve) => socket.once('close', () => resolve())),
  };
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;

async function answered(port: number, address: string, path: string): Promise<string> {
  const { socket, heard } = await open(port, address, get(path));
  if (heard() === '')
    await new Promise<void>((resolve) => socket.once('data', () => resolve()).once('close', () => resolve()));
  socket.destroy();
  return heard().split('\r\n')[0] ?? '';
}

test('an address that has its share makes room among its own idle ones; others are not touched', async () => {
  const { bound, port } = await start({ connections: 16, idleAtLeastMs: 1 });
  const other = await open(bound, '127.0.0.2');
  const own = [];
  for (let i = 0; i < 4; i++) own.push(await open(bound, '127.0.0.3'));
  await expect.poll(() => port.connections.open).toBe(5);
  await open(bound, '127.0.0.3');
  await own[0]?.closed;
  expect([own[1]?.socket.destroyed, other.socket.destroyed]).toEqual([false, false]);
});

test('idle connections stay until three quarters are taken, then the longest idle goes for each that comes', async () => {
  const { bound, port } = await start({ connections: 16, idleAtLeastMs: 1 });
  const all = [];
  for (let i = 0; i < 12; i++) {
    all.push(await open(bound, `127.0.0.${2 + (i % 4)}`));
    await expect.poll(() => port.connections.open).toBe(i + 1);
  }
  expect(all.every(({ socket }) => !socket.destroyed)).toBe(true);
  expect(await answered(bound, '127.0.0.9', '/')).toBe('HTTP/1.1 200 OK');
  await all[0]?.closed;
  expect(all.slice(1).every(({ socket }) => !socket.destroyed)).toBe(true);
});

test('where all are busy, health is answered, and nothing else', async () => {
  const { bound, port, registry } = await start({ connections: 8, addressShare: 1, healthConnections: 2 });
  for (let i = 0; i < 8; i++) await open(bound, '127.0.0.1', get('/never'));
  await expect.poll(() => port.connections).toEqual({ open: 8, idle: 0 });
  await expect.poll(async () => answered(bound, '127.0.0.1', '/healthz')).toBe('HTTP/1.1 200 OK');
  expect(await answered(bound, '127.0.0.1', '/')).toBe('HTTP/1.1 503 Service Unavailable');
  expect(await registry.metrics()).toContain('fleetflame_door_refused_total{limit="connections"}');
});

test('a trusted proxy has no share', async () => {
  const { bound, port } = await start({ connections: 16 }, ['127.0.0.3']);
  const own = [];
  for (let i = 0; i < 10; i++) own.push(await open(bound, '127.0.0.3'));
  await expect.poll(() => port.connections.open).toBe(10);
  expect(own.every(({ socket }) => !socket.destroyed)).toBe(true);
});

test('nobody sits on the connections that are kept for health', async () => {
  const { bound, port } = await start({ connections: 8, addressShare: 1, healthConnections: 2 });
  for (let i = 0; i < 8; i++) await open(bound, '127.0.0.1', get('/never'));
  await expect.poll(() => port.connections).toEqual({ open: 8, idle: 0 });
  for (let i = 0; i < 2; i++) await open(bound, '127.0.0.1');
  await expect.poll(() => port.connections).toEqual({ open: 10, idle: 2 });
  await expect
    .poll(async () => answered(bound, '127.0.0.1', '/healthz'), { timeout: 10_000 })
    .toBe('HTTP/1.1 200 OK');
});
