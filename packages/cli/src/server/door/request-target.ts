/**
 * What a request asks for. RFC 9112, section 3.2 knows four forms, and a sender may write anything:
 *
 *   /path?query              origin-form     what clients send
 *   http://host/path?query   absolute-form   what clients of a proxy send; its host counts, not that of the header
 *   *                        asterisk-form   of OPTIONS
 *   host:port                authority-form  of CONNECT, which never comes here
 */
export interface Target {
  /** Begins with a slash, or is "*". Never decoded: no path of ours needs it. */
  readonly path: string;
  /** Without the question mark; "" where there is none. */
  readonly query: string;
  /** Of an absolute-form. */
  readonly authority: string | undefined;
}

/** Bytes of a target: the longest of ours, a link to a view, is some kilobytes. */
const MAX_LENGTH = 8192;
/** The port has no say here: it is looked at where hosts are. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)([/?#].*)?$/is;
/** Control characters and what is no ASCII: nobody who means well sends them unescaped. */
const STRANGE = /[^\x21-\x7e]/;

/** Undefined: it is none of these. */
export function parseTarget(text: string): Target | undefined {
  if (text.length > MAX_LENGTH || STRANGE.test(text)) return undefined;
  if (text === '*') return { path: '*', query: '', authority: undefined };
  if (text.startsWith('/')) return split(text, undefined);
  const match = ABSOLUTE.exec(text);
  const authority = match?.[1];
  if (authority === undefined || authority === '') return undefined;
  const rest = match?.[2] ?? '/';
  return split(rest.startsWith('/') ? rest : `/${rest}`, authority);
}

function split(text: string, authority: string | undefined): Target {
  const fragment = text.indexOf('#');
  const whole = fragment < 0 ? text : text.slice(0, fragment);
  const question = whole.indexOf('?');
  return {
    path: question < 0 ? whole : whole.slice(0, question),
    query: question < 0 ? '' : whole.slice(question + 1),
    authority,
  };
}
