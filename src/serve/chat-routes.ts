/** OpenAI's chat completions over any ChatModel. Requests are handed on at once: engines batch by themselves. */
import { randomBytes, randomInt } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { StopReason } from '../base/records.js';
import type { ChatRequest, ChatResponse } from '../engines/types.js';
import { ApiError, apiErrorOf } from './api-error.js';
import { readChatCall, type ChatCall } from './chat-request.js';
import { EventStream } from './event-stream.js';
import { readReply, ReplyStream, type Reply, type ReplyPart } from './reply-stream.js';
import type { RouteContext } from './server.js';
import { specHeader, type ServedModel } from './served-model.js';

export interface ChatRouteOptions {
  models: readonly ServedModel[];
  /** Whether callers get the CoT. */
  reasoning: 'show' | 'hide';
  /** Most tokens of a reply, CoT included; a request may ask for fewer. */
  maxTokens: number;
  /** Where a request names none. */
  temperature: number;
}

export function addChatRoutes(app: FastifyInstance, context: RouteContext, options: ChatRouteOptions): void {
  const { models } = options;
  for (const { id, specification } of models) context.metrics.info.set({ model: id, specification: specification?.digest ?? 'none' }, 1);
  const find = (id: string): ServedModel => {
    const model = models.find((one) => one.id === id);
    if (model) return model;
    const names = models.map((one) => one.id).join(', ');
    throw new ApiError(
      404,
      'invalid_request_error',
      `there is no model ${JSON.stringify(id)} here; there are ${names}.`,
      'model',
      'model_not_found',
    );
  };
  app.get('/v1/models', () => ({ object: 'list', data: models.map(described) }));
  // A wildcard, for names of models hold slashes.
  app.get<{ Params: { '*': string } }>('/v1/models/*', (request) => described(find(request.params['*'])));
  app.post('/v1/chat/completions', async (request, reply) => {
    const call = readChatCall(request.body);
    const completion = new Completion(find(call.model), call, options, context, reply);
    return call.stream ? completion.stream() : completion.whole();
  });
}

const described = ({ id, created, specification, fingerprint }: ServedModel) => ({
  id,
  object: 'model',
  created,
  owned_by: 'deliberate',
  spec_digest: specification?.digest ?? null,
  spec_categories: specification?.categories ?? null,
  system_fingerprint: fingerprint,
});

type FinishReason = 'stop' | 'length' | 'content_filter';

class Completion {
  private readonly id = `chatcmpl-${randomBytes(12).toString('hex')}`;
  private readonly created = Math.floor(Date.now() / 1000);
  private readonly started = performance.now();
  private first = true;
  private readonly replyOptions: { show: boolean; stop: readonly string[] };

  constructor(
    private readonly model: ServedModel,
    private readonly call: ChatCall,
    private readonly options: ChatRouteOptions,
    private readonly context: RouteContext,
    private readonly reply: FastifyReply,
  ) {
    this.replyOptions = { show: options.reasoning === 'show', stop: call.stop };
    if (model.specification) reply.raw.setHeader(specHeader, model.specification.digest);
  }

  async whole(): Promise<object> {
    const { choices, usage } = await this.write(() => this.timeFirst());
    return {
      ...this.envelope('chat.completion'),
      choices: choices.map(({ text, stopReason }, index) => {
        const reply = readReply(text, this.replyOptions);
        return {
          index,
          message: {
            role: 'assistant',
            content: reply.content,
            refusal: null,
            ...(reply.reasoning !== null && { reasoning_content: reply.reasoning }),
          },
          logprobs: null,
          finish_reason: this.finishReason(reply, stopReason),
        };
      }),
      usage: usageOf(usage),
    };
  }

  async stream(): Promise<FastifyReply> {
    const { call, reply } = this;
    const events = new EventStream(reply.raw, () => void reply.hijack());
    const streams = Array.from({ length: call.n }, () => new ReplyStream(this.replyOptions));
    const roleSent = new Set<number>();
    const send = (index: number, { reasoning, content }: ReplyPart, finish: FinishReason | null = null) => {
      if (reasoning === undefined && content === undefined && finish === null) return;
      const delta = {
        ...(!roleSent.has(index) && { role: 'assistant' }),
        ...(reasoning !== undefined && { reasoning_content: reasoning }),
        ...(content !== undefined && { content }),
      };
      roleSent.add(index);
      events.send({ ...this.envelope('chat.completion.chunk'), choices: [{ index, delta, logprobs: null, finish_reason: finish }] });
    };
    try {
      const { choices, usage } = await this.write((choice, piece) => {
        this.timeFirst();
        send(choice, streams[choice]?.push(piece) ?? {});
      });
      choices.forEach(({ text, stopReason }, index) => {
        const { part, reply: whole } = (streams[index] as ReplyStream).finish(text);
        send(index, part);
        send(index, {}, this.finishReason(whole, stopReason));
      });
      if (call.includeUsage) events.send({ ...this.envelope('chat.completion.chunk'), choices: [], usage: usageOf(usage) });
      events.end();
    } catch (error) {
      if (!events.begun) {
        events.cancel();
        throw error;
      }
      // The status is out already: the client learns of it by an event, and by the missing end.
      events.send(apiErrorOf(error).body);
      events.cancel();
      reply.raw.end();
    }
    return reply;
  }

  /** Asks the model. */
  private async write(onText: NonNullable<ChatRequest['onText']>): Promise<ChatResponse> {
    const { call, model, options, reply } = this;
    const signal = this.context.signalOf(reply);
    const laidOut = model.layOut?.(call.messages) ?? { messages: call.messages };
    const response = await model.model.chat({
      ...laidOut,
      n: call.n,
      maxTokens: Math.min(call.maxTokens ?? options.maxTokens, options.maxTokens),
      temperature: call.temperature ?? options.temperature,
      seed: call.seed ?? randomInt(2 ** 31),
      ...(call.topP !== null && { topP: call.topP }),
      ...(call.topK !== null && { topK: call.topK }),
      ...(call.stop.length > 0 && { stop: call.stop, stopAfter: '</think>' }),
      signal,
      onText,
    });
    const { metrics } = this.context;
    metrics.promptTokens.inc({ model: model.id }, response.usage.promptTokens);
    metrics.completionTokens.inc({ model: model.id }, response.usage.completionTokens);
    if (response.choices.some(({ stopReason }) => stopReason === 'error'))
      throw new ApiError(503, 'server_error', 'the model has failed; ask again.');
    return response;
  }

  private timeFirst(): void {
    if (!this.first) return;
    this.first = false;
    this.context.metrics.firstTextSeconds.observe({ model: this.model.id }, (performance.now() - this.started) / 1000);
  }

  private finishReason(reply: Reply, stopReason: StopReason): FinishReason {
    const reason =
      reply.stopped || stopReason === 'stop' || stopReason === 'refusal' ? 'stop' : stopReason === 'filter' ? 'content_filter' : 'length';
    this.context.metrics.completions.inc({ model: this.model.id, finish_reason: reason });
    return reason;
  }

  private envelope(object: string) {
    const { id, specification, fingerprint } = this.model;
    return {
      id: this.id,
      object,
      created: this.created,
      model: id,
      system_fingerprint: fingerprint,
      spec_digest: specification?.digest ?? null,
    };
  }
}

const usageOf = ({ promptTokens, completionTokens }: ChatResponse['usage']) => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
});
