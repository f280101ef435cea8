import { BlockList, isIP, type IPVersion } from 'node:net';
import { FleetflameError } from '@fleetflame/profile';
import type { Request } from '../one-port.ts';

/** Who is to be charged for what a connection or a request takes. */
export class ClientAddresses {
  readonly #trusted = new BlockList();
  readonly #any: boolean;

  /** @throws FleetflameError invalid_input for what is neither an address nor a network, such as 10.0.0.0/8 */
  constructor(trustedProxies: readonly string[]) {
    this.#any = trustedProxies.length > 0;
    for (const text of trustedProxies) {
      const [address = '', bits] = text.split('/');
      const version = isIP(address);
      const prefix = bits === undefined ? undefined : Number(bits);
      const most = version === 6 ? 128 : 32;
      if (
        version === 0 ||
        (prefix !== undefined && !(Number.isInteger(prefix) && prefix >= 0 && prefix <= most))
      ) {
        throw new FleetflameError(
          'invalid_input',
          `trustedProxies: "${text}" is neither an address nor a network, such as 10.1.2.3 or 10.0.0.0/8`,
          { field: 'trustedProxies' },
        );
      }
      const family = familyOf(version);
      if (prefix === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, prefix, family);
    }
  }

  /** Undefined: a proxy that speaks for others, whom no share is counted for. */
  ofConnection(remote: string | undefined): string | undefined {
    const address = plain(remote);
    return this.#isTrusted(address) ? undefined : shareOf(address);
  }

  /** Whom a request is counted for: behind a trusted proxy the last address that it, or another one, has forwarded. */
  ofRequest(request: Request): string {
    const remote = plain(request.socket.remoteAddress);
    if (!this.#isTrusted(remote)) return shareOf(remote);
    for (const forwarded of forwardedFor(request).toReversed()) {
      if (isIP(forwarded) === 0) break;
      if (!this.#isTrusted(forwarded)) return shareOf(forwarded);
    }
    return shareOf(remote);
  }

  #isTrusted(address: string): boolean {
    const version = isIP(address);
    return this.#any && version !== 0 && this.#trusted.check(address, familyOf(version));
  }
}

/** In the order in which they were added, the nearest last. */
function forwardedFor({ headers }: Request): string[] {
  const standard = headers['forwarded'];
  if (standard !== undefined) {
    return [...standard.matchAll(/for="?\[?([0-9a-fA-F.:]+?)\]?(?::\d+)?"?(?=[;,\s]|$)/gi)].map(
      ([, address = '']) => plain(address),
    );
  }
  const usual = headers['x-forwarded-for'];
  const text = Array.isArray(usual) ? usual.join(',') : (usual ?? '');
  return text
    .split(',')
    .map((one) => plain(one.trim()))
    .filter((one) => one !== '');
}

function familyOf(version: number): IPVersion {
  return version === 6 ? 'ipv6' : 'ipv4';
}

/** IPv4 in IPv6 as IPv4. */
function plain(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
}

/** Whoever has one address of IPv6 has the 2^64 of its network: they are one. */
function shareOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const before = head.split(':').filter((group) => group !== '');
  const after = (tail ?? '').split(':').filter((group) => group !== '');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
