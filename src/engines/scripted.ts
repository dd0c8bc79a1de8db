/** A deterministic engine without a model, for tests of everything that stands on engines. It remembers what it is trained on. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { diskError } from '../base/disk-error.js';
import { inputError } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';
import { Random } from '../base/random.js';
import { contentId, type Message } from '../base/records.js';
import { cutAtStop } from '../lm/text-stream.js';
import { scriptedGrades, scriptedReply, type Memory } from './scripted-mind.js';
import type { ChatModel, ChatRequest, Datum, ForwardBackwardResult, Renderer, SamplingParams, Trainer } from './types.js';
import type { Workbench } from './workbench.js';

const roles = ['system', 'user', 'assistant', 'tool'] as const;
const roleToken = (role: Message['role']) => 0x110000 + roles.indexOf(role);
const endOfTurn = 0x110010;
const units = (text: string): number[] => Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));

/** Tokens are UTF-16 code units; roles and the end of a turn have tokens of their own. */
export const scriptedRenderer: Renderer = {
  promptTokens: (messages) => [
    ...messages.flatMap(({ role, content }) => [roleToken(role), ...units(content), endOfTurn]),
    ...(messages.at(-1)?.role === 'assistant' ? [] : [roleToken('assistant')]),
  ],
  completionTokens: (text, end = true) => [...units(text), ...(end ? [endOfTurn] : [])],
  decode: (tokens) => String.fromCharCode(...tokens.filter((token) => token < 0x110000)),
};

function readTokens(tokens: readonly number[]): Message[] {
  const messages: Message[] = [];
  let role: Message['role'] | null = null;
  let start = 0;
  tokens.forEach((token, i) => {
    if (token >= 0x110000 && token < endOfTurn) {
      role = roles[token - 0x110000] ?? 'user';
      start = i + 1;
    } else if (token === endOfTurn && role !== null) {
      messages.push({ role, content: scriptedRenderer.decode(tokens.slice(start, i)) });
      role = null;
    }
  });
  if (role !== null && start < tokens.length) messages.push({ role, content: scriptedRenderer.decode(tokens.slice(start)) });
  return messages;
}

/** Word after word, the samples in turn. */
async function tellWords(
  choices: readonly { text: string }[],
  onText: NonNullable<ChatRequest['onText']>,
  signal?: AbortSignal,
): Promise<void> {
  const words = choices.map(({ text }) => text.split(/(?<=\s)/));
  for (let at = 0; words.some((one) => at < one.length); at++) {
    for (const [choice, { [at]: word }] of words.entries()) if (word !== undefined) onText(choice, word);
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
}

/** The same for sampler and trainer, so that their gap is zero. */
const logprobOf = (token: number): number => -((token % 7) + 1) / 50;

export interface ScriptedOptions {
  /** Called before each request with its number, from 1: to abort or to fail at a certain one. */
  onCall?: (call: number) => void;
}

export interface ScriptedWorkbench extends Workbench {
  /** All chat and choice requests, with the name of the model asked. */
  readonly chats: { model: string; messages: readonly Message[] }[];
  /** Prompts given to `trainer.sample`. */
  readonly sampled: Message[][];
  /** Texts that were trained on, prompt and all. */
  readonly trained: string[];
}

interface State {
  steps: number;
  memory: Memory[];
}

/** An engine whose every output depends only on what is asked, the seed, and what was trained. */
export function createScriptedWorkbench({ onCall = () => undefined }: ScriptedOptions = {}): ScriptedWorkbench {
  let calls = 0;
  const count = () => onCall(++calls);
  const chats: ScriptedWorkbench['chats'] = [];
  const sampled: Message[][] = [];
  const trained: string[] = [];
  let state: State = { steps: 0, memory: [] };
  let pending: Memory[] = [];

  const write = (messages: readonly Message[], memory: readonly Memory[], params: SamplingParams, sample: number) => {
    const greedy = params.temperature === 0;
    const random = new Random(contentId(messages, memory.length, greedy ? 'greedy' : [params.seed ?? 0, sample]));
    let text = scriptedReply(messages, memory, random);
    text = cutAtStop(text, params.stop ?? [], params.stopAfter);
    const cut = text.length > params.maxTokens * 4;
    return { text: cut ? text.slice(0, params.maxTokens * 4) : text, stopReason: cut ? ('length' as const) : ('stop' as const) };
  };

  const chatModel = (name: string, memory: () => readonly Memory[]): ChatModel => ({
    name,
    async chat({ messages, n = 1, signal, onText, ...params }: ChatRequest) {
      count();
      signal?.throwIfAborted();
      chats.push({ model: name, messages });
      await new Promise(setImmediate);
      const choices = Array.from({ length: n }, (_, i) => write(messages, memory(), params, i)).map((one) => ({
        ...one,
        tokens: Math.ceil(one.text.length / 4),
      }));
      if (onText) await tellWords(choices, onText, signal);
      return { choices, usage: { promptTokens: 0, completionTokens: choices.reduce((sum, { tokens }) => sum + tokens, 0) } };
    },
    async choiceLogprobs({ messages, choices, signal }) {
      count();
      signal?.throwIfAborted();
      chats.push({ model: name, messages });
      return scriptedGrades(messages, choices);
    },
  });

  const run = (data: readonly Datum[]): ForwardBackwardResult => ({
    lossSum:
      data.reduce((sum, { targets, weights }) => sum - targets.reduce((s, target, t) => s + (weights[t] ?? 0) * logprobOf(target), 0), 0) /
      (1 + state.steps),
    logprobs: data.map(({ targets, weights }) => targets.map((target, t) => (weights[t] === 0 ? 0 : logprobOf(target)))),
  });

  const readState = async (folder: string): Promise<State> => {
    try {
      return JSON.parse(await readFile(path.join(folder, 'scripted.json'), 'utf8')) as State;
    } catch (error) {
      throw inputError(`${folder}: is no adapter of the scripted engine.`, error);
    }
  };

  const trainer: Trainer = {
    renderer: scriptedRenderer,
    policy: chatModel('policy', () => state.memory),
    async sample({ promptTokens, n, params, signal }) {
      count();
      signal?.throwIfAborted();
      const messages = readTokens(promptTokens);
      sampled.push(messages);
      return Array.from({ length: n }, (_, i) => write(messages, state.memory, params, i)).map(({ text, stopReason }) => {
        const tokens = scriptedRenderer.completionTokens(text, stopReason === 'stop');
        return { tokens, logprobs: tokens.map(logprobOf), stopReason };
      });
    },
    forward: async (data) => run(data),
    async forwardBackward(data, loss) {
      count();
      for (const datum of data) {
        const whole = [...datum.tokens, datum.targets.at(-1) as number];
        trained.push(scriptedRenderer.decode(whole));
        const messages = readTokens(whole);
        const positive = loss === 'cross_entropy' || (datum.advantages?.reduce((sum, a) => sum + a, 0) ?? 0) > 0;
        const reply = messages.at(-1)?.content ?? '';
        if (positive) pending.push({ request: messages.findLast(({ role }) => role === 'user')?.content ?? '', reply });
      }
      return run(data);
    },
    async optimStep() {
      state = { steps: state.steps + 1, memory: [...state.memory, ...pending] };
      const gradNorm = pending.length;
      pending = [];
      return { gradNorm };
    },
    async save(folder) {
      const fresh = `${folder}.new`;
      try {
        await rm(fresh, { recursive: true, force: true });
        await makeFolder(fresh);
        await writeFile(path.join(fresh, 'scripted.json'), JSON.stringify(state));
        await rm(folder, { recursive: true, force: true });
        await rename(fresh, folder);
      } catch (error) {
        await rm(fresh, { recursive: true, force: true }).catch(() => undefined);
        throw diskError(folder, error);
      }
    },
    async load(folder) {
      state = await readState(folder);
      pending = [];
    },
    close: async () => undefined,
  };

  return {
    chats,
    sampled,
    trained,
    trainer,
    resetPolicy: async () => {
      state = { steps: 0, memory: [] };
      pending = [];
    },
    base: async () => chatModel('base', () => []),
    tuned: async (folder) => {
      const { memory } = await readState(folder);
      return chatModel(`tuned ${path.basename(path.dirname(path.dirname(folder)))}`, () => memory);
    },
    logprobs: async (_folder, data) => run(data).logprobs,
    countTokens: (text) => Math.ceil(text.length / 4),
    digests: { model: 'scripted', adapter: 'none' },
    concurrency: 8,
    layout: 'shared',
    close: async () => undefined,
  };
}
