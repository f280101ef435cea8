import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Request } from '../one-port.ts';
import { ClientAddresses } from './client-address.ts';

function request(remoteAddress: string, headers: IncomingHttpHeaders): Request {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the two parts of a request that are looked at
  return { socket: { remoteAddress }, headers } as unknown as Request;
}

describe('whose share a request counts against', () => {
  const addresses = new ClientAddresses(['10.0.0.0/8', '2001:db8::1']);

  test.each([
    ['1.2.3.4', {}, '1.2.3.4'],
    ['::ffff:1.2.3.4', {}, '1.2.3.4'],
    // Who is not trusted may say what he likes.
    ['1.2.3.4', { 'x-forwarded-for': '5.6.7.8' }, '1.2.3.4'],
    ['10.1.1.1', { 'x-forwarded-for': '5.6.7.8' }, '5.6.7.8'],
    ['::ffff:10.1.1.1', { 'x-forwarded-for': '9.9.9.9, 5.6.7.8, 10.2.2.2' }, '5.6.7.8'],
    ['10.1.1.1', { 'x-forwarded-for': 'nonsense' }, '10.1.1.1'],
    ['10.1.1.1', { forwarded: 'for=9.9.9.9, for="[2001:db8:1:2:3::4]:80";proto=https' }, '2001:db8:1:2::/64'],
    ['10.1.1.1', {}, '10.1.1.1'],
    ['2001:db8:aaaa:bbbb:1::1', {}, '2001:db8:aaaa:bbbb::/64'],
    ['2001:db8:aaaa:bbbb:ffff::2', {}, '2001:db8:aaaa:bbbb::/64'],
    ['fe80::1%eth0', {}, 'fe80:0:0:0::/64'],
  ])('from %s with %j: %s', (remote, headers, owner) => {
    expect(addresses.ofRequest(request(remote, headers))).toBe(owner);
  });

  test('a proxy’s connection is nobody’s', () => {
    expect(addresses.ofConnection('10.1.1.1')).toBeUndefined();
    expect(addresses.ofConnection('1.1.1.1')).toBe('1.1.1.1');
  });

  test.each(['nonsense', '10.0.0.0/33', '::1/x'])('%s is refused at the start', (text) => {
    expect(() => new ClientAddresses([text])).toThrow(/trustedProxies/);
  });
});
