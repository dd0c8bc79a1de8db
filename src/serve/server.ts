/**
 * An HTTP server with what all of ours share: who may ask, errors in OpenAI's words, bounds, metrics, and an end without losses.
 *
 * Fastify, and not node:http alone: routes, bounded bodies with their errors, 404s and closing of idle connections would be
 * some 150 lines of ours, and it serves on Node 20. It is used for that only; schemas are zod's, as everywhere here.
 */
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ApiError, apiErrorOf, draining } from './api-error.js';
import { corsHeaders, refusal, type GateOptions } from './gate.js';
import { Metrics } from './metrics.js';

export interface ServerOptions extends GateOptions {
  /** Adds the routes. `signal` ends work in progress when draining takes too long. */
  routes: (app: FastifyInstance, context: RouteContext) => void;
  /** Largest body, bytes. Default 1 MB. */
  bodyLimit?: number;
  /** Requests answered at a time; more are told to ask again. Default 256. */
  maxInFlight?: number;
  /** Told of failures that are not the caller's. */
  onFailure?: (error: unknown, route: string) => void;
}

export interface RouteContext {
  metrics: Metrics;
  /** Aborted when the client has left, or when draining has taken too long. */
  signalOf: (reply: FastifyReply) => AbortSignal;
}

export interface Server {
  readonly app: FastifyInstance;
  readonly metrics: Metrics;
  /** @returns the address as a URL */
  listen: (host: string, port: number) => Promise<string>;
  /** Takes no new requests, and waits for those in progress; after `limit` ms they are ended with an error. */
  drain: (limit: number) => Promise<void>;
}

const open = new Set(['/healthz']);
/** Routes that take the token in the query string as well, for callers that send no headers. */
const queryTokenRoutes = new Set(['/get_reward']);
/** What was written last is given this long to go out. */
const lastBytesMs = 100;
/** Status in the metrics where the client left first, as nginx has it. */
const clientLeft = 499;

export function createServer(options: ServerOptions): Server {
  const { bodyLimit = 1_000_000, maxInFlight = 256, onFailure = () => undefined } = options;
  const metrics = new Metrics();
  const app = fastify({ bodyLimit, return503OnClosing: false, requestTimeout: 60_000 });
  // JSON alone: browsers send text/plain to other sites without asking them.
  app.removeContentTypeParser('text/plain');
  const forced = new AbortController();
  let inFlight = 0;
  let closing = false;

  /** Connections on which nothing is asked, or not yet, must not hold up the end. */
  const hangUp = () => {
    app.server.closeIdleConnections();
    if (inFlight === 0) setTimeout(() => app.server.closeAllConnections(), lastBytesMs).unref();
  };
  const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'none';

  app.addHook('onRequest', (request, reply, next) => {
    const route = routeOf(request);
    const started = performance.now();
    metrics.inFlight.set(++inFlight);
    // Closes once, whether the answer went out whole or the client left.
    reply.raw.once('close', () => {
      metrics.inFlight.set(--inFlight);
      metrics.requests.inc({ route, status: reply.raw.writableFinished ? reply.raw.statusCode : clientLeft });
      metrics.requestSeconds.observe({ route }, (performance.now() - started) / 1000);
      if (closing) hangUp();
    });
    for (const [name, value] of Object.entries({ 'x-content-type-options': 'nosniff', ...corsHeaders(request.headers, options) }))
      reply.raw.setHeader(name, value);
    const queryToken = queryTokenRoutes.has(route) ? (request.query as { token?: string }).token : undefined;
    // A browser asks for leave without the token.
    const preflight = request.method === 'OPTIONS';
    const refused = refusal({ headers: request.headers, queryToken, needsToken: !open.has(route) && !preflight }, options);
    if (refused) return next(refused);
    if (closing) {
      reply.raw.setHeader('connection', 'close');
      return next(draining());
    }
    if (request.method === 'POST' && inFlight > maxInFlight) {
      reply.raw.setHeader('retry-after', '1');
      return next(new ApiError(429, 'rate_limit_error', `more than ${maxInFlight} requests are waiting; ask again.`, null, 'overloaded'));
    }
    next();
  });
  app.setErrorHandler((error, request, reply) => {
    const answer = apiErrorOf(error);
    // Who hung up meanwhile broke nothing.
    const left = reply.raw.destroyed && !reply.raw.writableFinished;
    if (answer.status >= 500 && !forced.signal.aborted && !left) onFailure(error, routeOf(request));
    return reply.code(answer.status).send(answer.body);
  });
  app.setNotFoundHandler((request, reply) => {
    // Leave for the origins that were allowed by name: the headers that give it are set above.
    if (request.method === 'OPTIONS') return reply.code(204).send();
    const unknown = new ApiError(404, 'invalid_request_error', `there is no ${request.method} ${request.url.split('?')[0]} here.`);
    return reply.code(404).send(unknown.body);
  });

  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/metrics', async (_request, reply) => {
    const text = await metrics.registry.metrics();
    return reply.type(metrics.registry.contentType).send(text);
  });
  options.routes(app, { metrics, signalOf: (reply) => AbortSignal.any([forced.signal, leftBy(reply)]) });

  return {
    app,
    metrics,
    listen: (host, port) => app.listen({ host, port }),
    async drain(limit) {
      closing = true;
      const timer = setTimeout(() => {
        forced.abort(draining());
        // Those who do not even read their error are not waited for.
        setTimeout(() => app.server.closeAllConnections(), 1000).unref();
      }, limit);
      try {
        hangUp();
        await app.close();
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function leftBy(reply: FastifyReply): AbortSignal {
  const left = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort(new Error('the client has left'));
  });
  return left.signal;
}
