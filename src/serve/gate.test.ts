import { describe, expect, it } from 'vitest';
import { corsHeaders, hostAllowed, refusal, type GateOptions } from './gate.js';

const ask = (headers: Record<string, string>, options: GateOptions = {}, more: { queryToken?: string; needsToken?: boolean } = {}) =>
  refusal({ headers: { host: '127.0.0.1:8000', ...headers }, needsToken: true, ...more }, options)?.code ?? null;

describe('the gate', () => {
  it.each([
    ['127.0.0.1:8000', true],
    ['localhost', true],
    ['LOCALHOST:8000', true],
    ['a.localhost:80', true],
    ['[::1]:8000', true],
    ['192.168.1.7:8000', true],
    ['evil.example:8000', false],
    ['127.0.0.1.evil.example', false],
    ['localhost.evil.example', false],
    ['evil.example#localhost', false],
    ['localhost@evil.example', false],
    ['[evil.example]', false],
    ['', false],
  ])('Host %s: allowed %s', (host, allowed) => {
    expect(hostAllowed(host, [])).toBe(allowed);
  });

  it('lets names in that it was told of, with or without the dot of the root', () => {
    expect(hostAllowed('models.internal.:443', ['models.internal'])).toBe(true);
    expect(ask({ host: 'evil.example' })).toBe('host_not_allowed');
  });

  it('refuses what a browser sends for other pages', () => {
    expect(ask({ origin: 'https://evil.example' })).toBe('origin_not_allowed');
    expect(ask({ origin: 'null' })).toBe('origin_not_allowed');
    expect(ask({ 'sec-fetch-site': 'cross-site' })).toBe('origin_not_allowed');
    expect(ask({ origin: 'http://127.0.0.1:3000' })).toBe('origin_not_allowed');
    expect(ask({ origin: 'http://127.0.0.1:8000', 'sec-fetch-site': 'same-origin' })).toBeNull();
    expect(ask({})).toBeNull();
  });

  it('gives CORS headers to origins that were allowed by name, and to no others', () => {
    const options = { allowOrigins: ['https://chat.example'] };
    expect(ask({ origin: 'https://chat.example', 'sec-fetch-site': 'cross-site' }, options)).toBeNull();
    expect(corsHeaders({ origin: 'https://chat.example' }, options)['access-control-allow-origin']).toBe('https://chat.example');
    expect(corsHeaders({ origin: 'https://evil.example' }, options)).toEqual({});
    expect(corsHeaders({ origin: 'https://chat.example' }, {})).toEqual({});
  });

  it('asks for the token where there is one', () => {
    const options = { token: 'right' };
    expect(ask({}, options)).toBe('invalid_api_key');
    expect(ask({ authorization: 'Bearer wrong' }, options)).toBe('invalid_api_key');
    expect(ask({ authorization: 'Bearer right' }, options)).toBeNull();
    expect(ask({}, options, { queryToken: 'right' })).toBeNull();
    expect(ask({}, options, { needsToken: false })).toBeNull();
  });
});
