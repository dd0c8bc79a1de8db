/**
 * The viewer's server. It listens on this machine alone, answers only to its own name (no DNS rebinding), sends a page that can
 * load nothing from elsewhere, and takes a verdict only with the token that the command line printed.
 */
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { DeliberateError } from '../base/errors.js';
import { packageRoot } from '../base/package-root.js';
import type { Spec } from '../align/spec/types.js';
import { specPage } from './clauses.js';
import { compareArms } from './compare.js';
import { parseFilters } from './filters.js';
import { listFacets, listRecords } from './list.js';
import { appendOverride, OverrideRequest } from './overrides.js';
import { overview, writerOf } from './overview.js';
import { RunStore } from './store.js';
import { trace } from './trace.js';

/** Served as they lie: plain ES modules, no build. */
const pageFolder = path.join(packageRoot, 'src', 'view', 'page');
const types: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html', '.svg': 'image/svg+xml' };
/** Addresses of the page; all are the same document, which reads the address itself. */
const pages = ['/', '/records', '/trace', '/compare', '/spec'];

const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export interface Viewer {
  app: FastifyInstance;
  store: RunStore;
  /** Needed for writing. New for each start. */
  token: string;
  close(): Promise<void>;
}

/** A viewer of the run folder, not listening yet. @throws input error when the page's files are missing */
export async function createViewer(root: string, spec: Spec): Promise<Viewer> {
  const store = await RunStore.open(root, spec);
  const token = randomBytes(24).toString('base64url');
  const app = Fastify({ bodyLimit: 64 * 1024, forceCloseConnections: true });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    if (!isLocal(request.headers.host, app))
      return reply.code(403).send({ error: 'This address is not the viewer’s. Open the link that the command printed.' });
    if (fromElsewhere(request)) return reply.code(403).send({ error: 'Requests from other pages are not answered.' });
  });
  app.setErrorHandler((error, _request, reply) => {
    const input = (error instanceof DeliberateError && error.kind === 'input') || error instanceof z.ZodError;
    const status = (error as { statusCode?: number }).statusCode;
    const message =
      error instanceof z.ZodError ? (error.issues[0]?.message ?? 'not understood') : error instanceof Error ? error.message : String(error);
    return reply.code(input ? 400 : status !== undefined && status < 500 ? status : 500).send({ error: message });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'There is nothing at this address.' }));
  await servePage(app);
  serveData(app, store);
  serveVerdicts(app, store, token);
  return {
    app,
    store,
    token,
    close: async () => {
      await app.close();
      await store.close();
    },
  };
}

/** Only names that mean this machine, with our own port: a name that was pointed here is refused. */
function isLocal(host: string | undefined, app: FastifyInstance): boolean {
  const match = /^(127\.0\.0\.1|localhost|\[::1\])(?::(\d+))?$/.exec(host ?? '');
  if (match === null) return false;
  const address = app.server.address();
  return address === null || typeof address === 'string' || Number(match[2] ?? 80) === address.port;
}

/**
 * Asked by a page of another origin, as browsers mark it. To follow a link to the page from elsewhere is no harm: the document
 * is the same for all and holds nothing of the run, nobody can frame it, and it asks for the records itself.
 */
function fromElsewhere({ method, url, headers: given }: FastifyRequest): boolean {
  const { origin } = given;
  if (origin !== undefined) return origin !== `http://${given.host}`;
  const site = given['sec-fetch-site'];
  if (site !== 'cross-site' && site !== 'same-site') return false;
  return !(method === 'GET' && given['sec-fetch-dest'] === 'document' && pages.includes(url.split('?')[0]!));
}

/** Each file of the page by its own name, read once: no path from a request ever reaches the disk. */
async function servePage(app: FastifyInstance): Promise<void> {
  for (const name of await readdir(pageFolder)) {
    const type = types[path.extname(name)];
    if (type === undefined) continue;
    const body = await readFile(path.join(pageFolder, name), 'utf8');
    const send = async (_request: unknown, reply: { type(type: string): { send(body: string): unknown } }) =>
      reply.type(`${type}; charset=utf-8`).send(body);
    if (name === 'index.html') for (const address of pages) app.get(address, send);
    else app.get(`/page/${name}`, send);
  }
}

function serveData(app: FastifyInstance, store: RunStore): void {
  app.get('/api/version', async () => {
    // Does not wait: the page asks again, and a long first reading must not hold it up.
    void store.refresh().catch(() => undefined);
    return { version: store.version, name: store.name, running: await writerOf(store.root) };
  });
  app.get('/api/overview', async () => {
    await store.whenReady();
    return { version: store.version, ...(await overview(store)) };
  });
  app.get('/api/records', async (request) => {
    await store.whenReady();
    return { version: store.version, ...(await listRecords(store, parseFilters(request.query))) };
  });
  app.get('/api/facets', async (request) => {
    await store.whenReady();
    return listFacets(store, parseFilters(request.query));
  });
  app.get('/api/trace', async (request) => {
    await store.whenReady();
    const { key } = z.strictObject({ key: z.string().max(1000) }).parse(request.query);
    return { version: store.version, ...(await trace(store, key)) };
  });
  const Compared = z.strictObject({
    a: z.string().max(100),
    b: z.string().max(100),
    suite: z.string().max(100).optional(),
    show: z.enum(['flipped', 'better', 'worse', 'all']).default('flipped'),
    offset: z.coerce.number().int().min(0).default(0),
    limit: z.coerce.number().int().min(1).max(200).default(25),
  });
  app.get('/api/compare', async (request) => {
    await store.whenReady();
    return { version: store.version, ...(await compareArms(store, Compared.parse(request.query))) };
  });
  const Part = z.strictObject({ source: z.string().max(100).optional(), arm: z.string().max(100).optional() });
  app.get('/api/spec', async (request) => {
    await store.whenReady();
    const { source, arm } = Part.parse(request.query);
    return {
      version: store.version,
      ...(await specPage(store, { ...(source !== undefined && { source }), ...(arm !== undefined && { arm }) })),
    };
  });
}

function serveVerdicts(app: FastifyInstance, store: RunStore, token: string): void {
  app.post('/api/overrides', async (request, reply) => {
    if (!sameText(String(request.headers['x-deliberate-token'] ?? ''), token))
      return reply.code(403).send({ error: 'Verdicts need the token of this start. Open the link that the command printed.' });
    const { record, verdict, note, answerDigest } = OverrideRequest.parse(request.body);
    await store.whenReady();
    const seen = await trace(store, record);
    if (seen.answerDigest !== answerDigest)
      return reply.code(409).send({ error: 'This record has another answer by now. Look at it again, then decide.' });
    const found = seen as unknown as { promptId: string; category: string | null; answer: string; score: number | null };
    const override = await appendOverride(store.root, {
      record,
      promptId: found.promptId,
      messages: seen.messages,
      category: found.category ?? 'none',
      answer: found.answer,
      answerDigest,
      verdict,
      judged: found.score,
      note,
    });
    await store.refreshNow();
    return { override };
  });
}

function sameText(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
