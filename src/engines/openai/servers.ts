/** The servers that a run's settings name, by role: connected when first needed. */
import path from 'node:path';
import { modelRoles, serverOf, type ModelRole } from '../../base/server-settings.js';
import type { RoleModel, ServerUsage } from '../workbench.js';
import { openServerModel, serverDigest, type ServerModel } from './server-model.js';

export interface ServersOptions {
  /** Settings with a section for each role, as in Config. */
  sections: Partial<Record<ModelRole, object | undefined>>;
  /** Folder for the answers that servers gave before; without one nothing is kept. */
  cacheFolder?: string;
  signal?: AbortSignal;
  say: (line: string) => void;
}

export interface Servers {
  readonly byRole: Partial<Record<ModelRole, RoleModel>>;
  usage(): ServerUsage[];
  close(): Promise<void>;
}

/** Nothing is sent yet. */
export function namedServers({ sections, cacheFolder, signal, say }: ServersOptions): Servers {
  const opened = new Map<ModelRole, Promise<ServerModel>>();
  const byRole: Servers['byRole'] = {};
  const ready: ServerModel[] = [];
  for (const role of modelRoles) {
    const settings = serverOf(sections[role]);
    if (settings === null) continue;
    const open = async () => {
      const server = await openServerModel({
        role,
        settings,
        ...(cacheFolder !== undefined && { cacheFile: path.join(cacheFolder, `${role}.jsonl`) }),
        ...(signal && { signal }),
      });
      ready.push(server);
      const graded = server.model.choiceLogprobs === undefined ? 'JSON' : 'log-probabilities';
      say(`${role}: ${settings.model} on ${settings.baseUrl} (${server.profile.kind}${role === 'judge' ? `, grades by ${graded}` : ''})`);
      return server;
    };
    byRole[role] = {
      digest: serverDigest(settings),
      concurrency: 2 * (settings.maxConcurrency ?? 64),
      open: async () => {
        let server = opened.get(role);
        if (server === undefined) {
          server = open();
          opened.set(role, server);
          // What failed is tried again when it is asked for again.
          server.catch(() => opened.delete(role));
        }
        return (await server).model;
      },
    };
  }
  return {
    byRole,
    usage: () => ready.flatMap((server) => server.usage()),
    close: async () => {
      for (const server of ready) await server.close();
    },
  };
}
