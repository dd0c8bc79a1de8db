/** How we reach other machines: through the proxies that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name, as other programs do. */
import { Agent, EnvHttpProxyAgent, type Dispatcher } from 'undici';

export function httpAgent(options: Agent.Options): Dispatcher {
  return usesProxy() ? new EnvHttpProxyAgent({ ...options, noProxy: noProxy() }) : new Agent(options);
}

const variable = (name: string): string => process.env[name.toLowerCase()] ?? process.env[name.toUpperCase()] ?? '';
const usesProxy = (): boolean => variable('http_proxy') !== '' || variable('https_proxy') !== '';
/** A server on this machine is never behind a proxy. */
const noProxy = (): string => [variable('no_proxy'), 'localhost', '127.0.0.1', '[::1]'].filter(Boolean).join(',');
