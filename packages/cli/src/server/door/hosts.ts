/**
 * A page elsewhere is a stranger. A browser speaks for any page it shows; two things tell whose request it is:
 *
 *   Host     the name that the page believes to speak to. By DNS rebinding a page of evil.example reaches this
 *            address under its own name: only names that are ours are answered.
 *   Origin,  the page that sends. What is more than a plain read comes from our own page, or from no page at all.
 *   Sec-Fetch-Site
 */
import { isIP } from 'node:net';
import { FleetflameError } from '@fleetflame/profile';
import type { Request } from '../one-port.ts';
import { Refusal } from './refusal.ts';

const NAME = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?(?::\d{1,5})?$/i;
const DEFAULT_PORTS: ReadonlyMap<string, string> = new Map([
  ['http', '80'],
  ['https', '443'],
]);

interface Authority {
  /** Lower case; an address of IPv6 without its brackets. */
  readonly name: string;
  /** "" where none is said. */
  readonly port: string;
}

export class Hosts {
  /** Lower case: a name, a name with a port, or *.name. */
  readonly #allowed: ReadonlySet<string>;

  /** @throws FleetflameError invalid_input for what is no name of a host */
  constructor(allowed: readonly string[]) {
    for (const text of allowed) {
      if (NAME.test(text)) continue;
      throw new FleetflameError(
        'invalid_input',
        `allowHost: "${text}" is not the name of a host, such as profiles.example.org or *.example.org`,
        { field: 'allowHost' },
      );
    }
    this.#allowed = new Set(allowed.map((text) => text.toLowerCase()));
  }

  /** Every host that a request names has to be one of ours. Throws Refusal. */
  check(request: Request, authority: string | undefined): void {
    const named = hostsOf(request, authority);
    if (named === undefined || named.length === 0) {
      throw new Refusal('host', 400, 'The request names no host, or several.');
    }
    for (const text of named) {
      const host = parseAuthority(text);
      if (host === undefined) throw new Refusal('host', 400, 'The Host header is no host.');
      if (this.#isOurs(host)) continue;
      throw new Refusal(
        'host',
        421,
        `This server does not answer to the name ${JSON.stringify(host.name.slice(0, 100))}: ` +
          'whoever runs it may allow it (--allow-host NAME), or use an address or localhost.',
      );
    }
  }

  /** Throws Refusal where a page elsewhere sends. Call `check` before: the host is believed. */
  checkOrigin(request: Request, authority: string | undefined): void {
    const site = request.headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      throw new Refusal('origin', 403, 'A page of another site may not send this.');
    }
    const { origin } = request.headers;
    if (origin === undefined) return;
    const match = /^(https?):\/\/(.+)$/i.exec(origin);
    const page = parseAuthority(match?.[2] ?? '');
    const scheme = match?.[1]?.toLowerCase() ?? '';
    if (page === undefined || !this.#isOwnPage(page, scheme, hostsOf(request, authority) ?? [])) {
      throw new Refusal(
        'origin',
        403,
        'A page of another origin may not send this. Behind a proxy: pass its Host header on, or name it with --allow-host.',
      );
    }
  }

  #isOurs({ name, port }: Authority): boolean {
    if (isIP(name) !== 0 || name === 'localhost') return true;
    return this.#isAllowed(name, port, false);
  }

  /** The page is at the host that was asked, or at an allowed name (the proxy's, when it puts its own Host). */
  #isOwnPage(page: Authority, scheme: string, hosts: readonly string[]): boolean {
    const port = page.port === '' ? (DEFAULT_PORTS.get(scheme) ?? '') : page.port;
    const same = hosts.some((text) => {
      const host = parseAuthority(text);
      return host?.name === page.name && (host.port === '' ? DEFAULT_PORTS.get(scheme) : host.port) === port;
    });
    return (
      same ||
      (isIP(page.name) === 0 && page.name !== 'localhost' && this.#isAllowed(page.name, page.port, true))
    );
  }

  /** `exactly`: a name without a port stands for the usual ones alone. */
  #isAllowed(name: string, port: string, exactly: boolean): boolean {
    const parent = name.slice(name.indexOf('.') + 1);
    return [name, `*.${parent}`].some(
      (one) => this.#allowed.has(`${one}:${port}`) || (this.#allowed.has(one) && (!exactly || port === '')),
    );
  }
}

/** All that say which host is meant; undefined: one header comes twice. */
function hostsOf(request: Request, authority: string | undefined): readonly string[] | undefined {
  const { rawHeaders } = request;
  const hosts: string[] = authority === undefined ? [] : [authority];
  let headers = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase();
    if (name !== 'host' && name !== ':authority') continue;
    if (name === 'host') headers++;
    hosts.push(rawHeaders[i + 1] ?? '');
  }
  return headers > 1 ? undefined : hosts;
}

function parseAuthority(text: string): Authority | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::(\d{1,5}))?$/i.exec(text);
  if (match === null) return undefined;
  const [, six, name, port = ''] = match;
  if (six !== undefined && isIP(six) !== 6) return undefined;
  return { name: (six ?? name ?? '').toLowerCase(), port };
}
