/** From listening to the end. */
import { once } from 'node:events';
import { dependencyError, inputError } from '../base/errors.js';
import type { Server } from './server.js';

export interface ServeUntil {
  host: string;
  /** 0: any that is free. */
  port: number;
  /** Aborted by SIGTERM or Ctrl-C: then no new requests are taken, and those in progress are answered. */
  signal: AbortSignal;
  /** How long those are waited for, ms. */
  drainMs: number;
  onListening: (address: string) => void;
}

/** Serves until the signal. @throws input error when the address cannot be listened on */
export async function serveUntil(server: Server, { host, port, signal, drainMs, onListening }: ServeUntil): Promise<void> {
  if (signal.aborted) return;
  const address = await server.listen(host, port).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE')
      throw inputError(`port ${port} of ${host} is taken. Give another one with --port, or 0 for any that is free.`, error);
    if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND' || error.code === 'EACCES')
      throw inputError(`${host}, port ${port}: cannot be listened on (${error.code}). Give another --host or --port.`, error);
    throw dependencyError(`${host}, port ${port}: ${error.message}`, error);
  });
  onListening(address);
  if (!signal.aborted) await once(signal, 'abort');
  await server.drain(drainMs);
}

/** Addresses that only this machine reaches. */
export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
