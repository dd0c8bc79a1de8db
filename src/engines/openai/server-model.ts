/** A model behind the OpenAI endpoint /v1/chat/completions, as a chat model. */
import { inputError } from '../../base/errors.js';
import { contentId, type Message } from '../../base/records.js';
import type { ModelRole, ServerSettings } from '../../base/server-settings.js';
import type { ChatChoice, ChatModel, ChatRequest, ChatResponse } from '../types.js';
import type { ServerUsage } from '../workbench.js';
import { AdaptiveLimit } from './adaptive-limit.js';
import { AnswerCache, answerKey } from './answer-cache.js';
import { Connection } from './connection.js';
import { Endpoint } from './endpoint.js';
import { RequestFailure } from './failure.js';
import { apiAddress, profiles, recogniseServer, type ServerProfile } from './profiles.js';
import { choicesOf, logprobsOfChoices, readReply, reasons, topOf, usageOf, type Reply, type Usage } from './reply.js';
import { chatBody, choiceBody, type Body, type BodyOptions } from './request.js';
import { Spending } from './spending.js';

export interface ServerModelOptions {
  /** What messages and the table of costs call it; `model` is one that no section of the settings names. */
  role: ModelRole | 'model';
  settings: ServerSettings;
  /** File of the answers that were given before; none: nothing is kept. */
  cacheFile?: string;
  signal?: AbortSignal;
  /** Milliseconds before the first repetition of a failed request. */
  firstWait?: number;
}

export interface ServerModel {
  readonly model: ChatModel;
  readonly profile: ServerProfile;
  /** Requests that the server is given at once now. */
  limit(): number;
  usage(): ServerUsage[];
  close(): Promise<void>;
}

const path = '/chat/completions';
/** Models whose thoughts are hidden fail, some with 400, when they have no room to think in. */
const roomToTry = 1024;
const defaults = { maxConcurrency: 64, timeoutSeconds: 600, patienceSeconds: 300 };

/** What a server's answers depend on. Not the address: a model that moves to another machine is the same. */
export const serverDigest = ({ model, body = {} }: ServerSettings): string => contentId('server', model, body);

/**
 * Connects: recognises the server, asks the model one question, and for a judge finds out whether log-probabilities are given.
 * @throws input error for a key that is missing or refused, an unknown model or address; dependency error when the server stays silent
 */
export async function openServerModel({ role, settings, cacheFile, signal, firstWait }: ServerModelOptions): Promise<ServerModel> {
  const address = apiAddress(settings.baseUrl);
  const maxConcurrency = settings.maxConcurrency ?? defaults.maxConcurrency;
  const connection = new Connection({
    address,
    apiKey: keyOf(role, settings),
    timeout: (settings.timeoutSeconds ?? defaults.timeoutSeconds) * 1000,
    maxConnections: maxConcurrency,
  });
  const limit = new AdaptiveLimit({ max: maxConcurrency });
  const spending = new Spending({ role, model: settings.model, price: settings.price });
  const endpoint = new Endpoint({
    connection,
    limit,
    name: `${role}: ${settings.model} at ${address}`,
    patience: (settings.patienceSeconds ?? defaults.patienceSeconds) * 1000,
    onRetry: () => spending.retried(),
    ...(settings.apiKeyEnv !== undefined && { apiKeyEnv: settings.apiKeyEnv }),
    ...(firstWait !== undefined && { firstWait }),
  });
  const cache = cacheFile === undefined ? null : new AnswerCache(cacheFile);
  try {
    const kind = settings.server ?? recogniseServer(address, await modelsOf(endpoint, signal));
    const profile = profiles[kind];
    const body: BodyOptions = {
      model: settings.model,
      profile,
      structured: settings.structured ?? profile.structured,
      extra: settings.body ?? {},
    };
    const chat = new ServerChat(settings.model, endpoint, address, body, spending, cache);
    const reasoner = await chat.tryOut(signal);
    const grades = role === 'judge' && (settings.logprobs ?? (!reasoner && (await chat.offersLogprobs(signal))));
    return {
      model: grades ? Object.assign(chat, { choiceLogprobs: chat.logprobs.bind(chat) }) : chat,
      profile,
      limit: () => limit.limit,
      usage: () => spending.rows(),
      close: async () => {
        await connection.close();
        await cache?.close();
      },
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function keyOf(role: ServerModelOptions['role'], { apiKeyEnv }: ServerSettings): string | undefined {
  if (apiKeyEnv === undefined) return undefined;
  const key = process.env[apiKeyEnv]?.trim();
  if (key === undefined || key === '')
    throw inputError(
      `${role}.apiKeyEnv: the environment variable ${apiKeyEnv} is not set. Set it to the API key, or take the setting away for a server without keys.`,
    );
  return key;
}

/** The list of models; null where a server has none to show. @throws input error when the key is refused */
async function modelsOf(endpoint: Endpoint, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return await endpoint.get('/models', signal);
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error;
    if (error.details.status === 401 || error.details.status === 403) throw endpoint.refusal(error);
    return null;
  }
}

interface Answer {
  choices: ChatChoice[];
  usage: Usage | null;
}

class ServerChat implements ChatModel {
  /** Whether one request gives several samples; learnt when a server gives fewer than asked for. */
  private manySamples: boolean;

  constructor(
    readonly name: string,
    private readonly endpoint: Endpoint,
    private readonly address: string,
    private readonly body: BodyOptions,
    private readonly spending: Spending,
    private readonly cache: AnswerCache | null,
  ) {
    this.manySamples = body.profile.manySamples;
  }

  async chat(request: ChatRequest): Promise<ChatResponse> {
    const { n = 1 } = request;
    const answers: Answer[] = [];
    if (this.manySamples && n > 1) answers.push(await this.ask(request, n, request.seed));
    const have = () => answers.reduce((sum, { choices }) => sum + choices.length, 0);
    if (n > 1 && answers.length > 0 && have() < n) this.manySamples = false;
    const from = have();
    answers.push(
      ...(await Promise.all(
        Array.from({ length: Math.max(0, n - from) }, (_, i) =>
          this.ask(request, 1, request.seed === undefined ? undefined : seedOf(request.seed + from + i)),
        ),
      )),
    );
    const sum = (of: (usage: Usage) => number) => answers.reduce((total, { usage }) => total + (usage === null ? 0 : of(usage)), 0);
    return {
      choices: answers.flatMap(({ choices }) => choices).slice(0, n),
      usage: { promptTokens: sum((usage) => usage.promptTokens), completionTokens: sum((usage) => usage.completionTokens) },
    };
  }

  /** The `choiceLogprobs` of a model that has them. */
  async logprobs({ messages, choices, signal }: Parameters<NonNullable<ChatModel['choiceLogprobs']>>[0]): Promise<number[]> {
    const top = await this.send(choiceBody(this.body, messages, choices), true, topOf, signal);
    return logprobsOfChoices(top ?? [], choices);
  }

  /** One short question: shows at once whether key, address and model are right. @returns whether the model reasons by itself */
  async tryOut(signal: AbortSignal | undefined): Promise<boolean> {
    const messages: Message[] = [{ role: 'user', content: 'How many legs has a spider? Reply with the number alone.' }];
    return this.send(chatBody(this.body, { messages, maxTokens: roomToTry, temperature: 0 }, 1, undefined), false, reasons, signal);
  }

  async offersLogprobs(signal: AbortSignal | undefined): Promise<boolean> {
    const choices = ['4', '8'];
    const messages: Message[] = [
      { role: 'user', content: 'How many legs has a spider, 4 or 8?' },
      { role: 'assistant', content: 'Answer: ' },
    ];
    try {
      const top = await this.send(choiceBody(this.body, messages, choices), false, topOf, signal, true);
      return top !== null && logprobsOfChoices(top, choices).some(Number.isFinite);
    } catch (error) {
      if (error instanceof RequestFailure) return false;
      throw error;
    }
  }

  private ask(request: ChatRequest, samples: number, seed: number | undefined): Promise<Answer> {
    const body = chatBody(this.body, request, samples, seed);
    const read = (reply: Reply): Answer => ({ choices: choicesOf(reply, request), usage: usageOf(reply) });
    // Without a seed each asking is a new sample, and an answer of before would make them all alike.
    return this.send(body, seed !== undefined || request.temperature === 0, read, request.signal);
  }

  /** @throws the refusal as an input error, or as it is where the caller asks by trying */
  private async send<T>(
    body: Body,
    repeatable: boolean,
    read: (reply: Reply) => T,
    signal: AbortSignal | undefined,
    trying = false,
  ): Promise<T> {
    const key = this.cache !== null && repeatable ? answerKey(this.address, body) : null;
    const before = key === null ? undefined : await this.cache?.get(key);
    if (before !== undefined) {
      this.spending.cached();
      return before as T;
    }
    try {
      const value = await this.endpoint.post(
        path,
        body,
        (json) => {
          const reply = readReply(json);
          this.spending.answered(usageOf(reply));
          return read(reply);
        },
        signal,
      );
      if (key !== null && value !== null) await this.cache?.set(key, value);
      return value;
    } catch (error) {
      throw error instanceof RequestFailure && !trying ? this.endpoint.refusal(error) : error;
    }
  }
}

/** Seeds stay within 31 bits, which every server takes. */
const seedOf = (seed: number): number => seed % 0x7fffffff;
