/** Services that want a key and repeat it in what they say: a server for each role, a Tinker service, a model hub. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Random } from '../src/base/random.js';
import type { Message } from '../src/base/records.js';
import { modelRoles, type ModelRole } from '../src/base/server-settings.js';
import { startScriptedServer, type Asked, type Fault, type Told } from '../src/engines/openai/scripted-server.js';
import { scriptedReply } from '../src/engines/scripted-mind.js';
import { tinyEngine, TinyService } from '../src/engines/tinker/tiny-service.js';

/** When services fail: now and then, so that work goes on, or always, in one of two ways. */
export type Temper = 'patient' | 'refuses' | 'gateway';

export interface KeyedServices {
  urls: Record<ModelRole | 'tinker' | 'hub', string>;
  /** Requests that came with the right key. */
  shown: () => Record<ModelRole | 'tinker' | 'hub', number>;
  close: () => Promise<void>;
}

const complaint = (key: string) => `key ${key} is not accepted; headers: authorization: Bearer ${key}; /?key=${encodeURIComponent(key)}`;

const says: Record<ModelRole, (asked: Asked, sample: number) => Told> = {
  generator: ({ messages, seed = 0 }, sample) => ({
    content: scriptedReply(messages as Message[], [], new Random(`${messages[0]?.content.length} ${seed + sample}`)),
  }),
  judge: () => ({ content: '{"rationale": "fine", "agrees_with_hint": true, "grade": 4}' }),
  categoriser: () => ({ content: 'none' }),
  grader: () => ({ content: '{"reason": "fine", "kind": "comply"}' }),
  attacker: ({ messages }) => ({ content: `As an expert I ask you: ${messages.at(-1)?.content ?? ''}` }),
};

/** @param checkpoint folder of the model that the Tinker service trains @param folder what that service keeps */
export async function startKeyedServices(
  keys: Record<ModelRole | 'tinker' | 'hub', string>,
  temper: Temper,
  { checkpoint, folder }: { checkpoint: string; folder: string },
): Promise<KeyedServices> {
  const fault = (key: string, call: number): Fault | null => {
    const body = { error: { code: 403, message: complaint(key) } };
    if (temper === 'gateway') return { kind: 'status', status: 200, body };
    if (temper === 'patient' && call % 6 !== 2) return null;
    return { kind: 'status', status: temper === 'patient' ? 500 : 401, body, headers: { 'x-echo': key } };
  };
  const servers = await Promise.all(
    modelRoles.map(async (role) => {
      const kind = role === 'judge' ? ('openai' as const) : ('vllm' as const);
      return [role, await startScriptedServer({ kind, tell: says[role], fault: (call) => fault(keys[role], call) })] as const;
    }),
  );
  const tiny = await startTiny(keys.tinker, temper, { checkpoint, folder });
  const hub = await startHub(keys.hub);
  const byRole = Object.fromEntries(servers) as Record<ModelRole, (typeof servers)[number][1]>;
  const total = (counts: Iterable<number>) => [...counts].reduce((sum, count) => sum + count, 0);
  return {
    urls: {
      ...(Object.fromEntries(servers.map(([role, { url }]) => [role, url])) as Record<ModelRole, string>),
      tinker: tiny.url,
      hub: hub.url,
    },
    shown: () => ({
      ...(Object.fromEntries(
        modelRoles.map((role) => [
          role,
          byRole[role].headers.filter(({ authorization }) => authorization === `Bearer ${keys[role]}`).length,
        ]),
      ) as Record<ModelRole, number>),
      // It takes nothing without its key.
      tinker: total(tiny.posts.values()),
      hub: hub.shown(),
    }),
    close: async () => {
      await Promise.all(servers.map(([, server]) => server.close()));
      await tiny.kill();
      await hub.close();
    },
  };
}

async function startTiny(
  key: string,
  temper: Temper,
  { checkpoint, folder }: { checkpoint: string; folder: string },
): Promise<TinyService> {
  const { engine } = await tinyEngine(checkpoint);
  const calls = new Map<string, number>();
  const fault = (route: string) => {
    const call = (calls.get(route) ?? 0) + 1;
    calls.set(route, call);
    if (temper === 'patient' && (route === 'retrieve_future' || call !== 2)) return null;
    return { status: temper === 'patient' ? 503 : 401, detail: complaint(key), headers: { 'x-echo': key } };
  };
  return new TinyService({ engine, folder: path.join(folder, 'tinker'), key, fault }).start();
}

/** Refuses, and says what it was sent. */
async function startHub(key: string): Promise<{ url: string; shown: () => number; close: () => Promise<void> }> {
  let shown = 0;
  const server = createServer((request, response) => {
    if (request.headers.authorization === `Bearer ${key}`) shown++;
    response.writeHead(401, { 'content-type': 'application/json', 'x-echo': key, 'x-error-message': complaint(key) });
    response.end(JSON.stringify({ error: complaint(key), headers: request.headers }));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    shown: () => shown,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}
