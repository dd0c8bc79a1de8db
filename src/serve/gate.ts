/**
 * Who may ask. A server on a private address is within reach of every web page that its user opens: a page can send requests
 * to it, and by rebinding its own domain name to that address (DNS rebinding) even read the answers. So the name in Host must
 * be one that no other page can own, requests that a browser marks as coming from other pages are refused, and no CORS header
 * is sent unless an origin was allowed by name.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { ApiError } from './api-error.js';

export interface GateOptions {
  /** Names in Host that are allowed besides IP addresses and localhost. */
  allowHosts?: readonly string[];
  /** Origins whose pages may call, as `https://chat.example`. */
  allowOrigins?: readonly string[];
  /** Asked for as a bearer token. Left out: anyone who reaches the address. */
  token?: string;
}

interface Asked {
  headers: Record<string, string | string[] | undefined>;
  /** A token in the query string, where the route takes one there. */
  queryToken?: string | undefined;
  /** Whether the route needs a token; looking whether the server is alive does not. */
  needsToken: boolean;
}

const denied = (message: string, code: string) => new ApiError(403, 'permission_error', message, null, code);
const first = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

/** @returns why a request is refused, or null */
export function refusal({ headers, queryToken, needsToken }: Asked, options: GateOptions): ApiError | null {
  const host = first(headers['host']) ?? '';
  if (!hostAllowed(host, options.allowHosts ?? []))
    return denied(`the name in Host is not one of this server's. Start it with --allow-host to allow a name.`, 'host_not_allowed');
  const origin = first(headers['origin']);
  const site = first(headers['sec-fetch-site']);
  if (origin !== undefined ? !originAllowed(origin, host, options) : site === 'cross-site' || site === 'same-site')
    return denied('requests of other web pages are refused. Start the server with --allow-origin to allow one.', 'origin_not_allowed');
  if (options.token !== undefined && needsToken) {
    const given = /^Bearer (.+)$/i.exec(first(headers['authorization']) ?? '')?.[1]?.trim() ?? queryToken ?? '';
    if (!sameSecret(given, options.token))
      return new ApiError(401, 'authentication_error', 'the API key is missing or wrong.', null, 'invalid_api_key');
  }
  return null;
}

/** An address in figures cannot be rebound to another one; a name can. */
export function hostAllowed(host: string, allowed: readonly string[]): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host);
  const name = (match?.[1] ?? match?.[2] ?? '').toLowerCase().replace(/\.$/, '');
  if (name === '') return false;
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || allowed.some((one) => one.toLowerCase() === name);
}

function originAllowed(origin: string, host: string, { allowOrigins = [] }: GateOptions): boolean {
  if (allowOrigins.includes(origin)) return true;
  // The server's own pages. `null` (a sandboxed page, a file) is no URL and so refused.
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/** CORS headers for an origin that was allowed by name; none for others. */
export function corsHeaders(headers: Asked['headers'], { allowOrigins = [] }: GateOptions): Record<string, string> {
  const origin = first(headers['origin']);
  if (origin === undefined || !allowOrigins.includes(origin)) return {};
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-allow-methods': 'GET, POST',
    'access-control-expose-headers': 'x-deliberate-spec',
    vary: 'origin',
  };
}

/** In constant time, so that the time taken tells nothing. */
function sameSecret(given: string, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}
