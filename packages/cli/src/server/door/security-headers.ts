import type { Response } from '../one-port.ts';

/**
 * On every answer. A browser that was led here by another page may neither frame, nor guess, nor read it; what is
 * shown as a page (static-files.ts) says for itself what it loads.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

const ENTRIES = Object.entries(SECURITY_HEADERS);

export function setSecurityHeaders(response: Response): void {
  for (const [name, value] of ENTRIES) response.setHeader(name, value);
}

/** The same as lines of HTTP/1, where there is no response object. */
export const SECURITY_LINES = ENTRIES.map(([name, value]) => `${name}: ${value}\r\n`).join('');
