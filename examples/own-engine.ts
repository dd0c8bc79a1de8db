/**
 * An engine of your own: here a model behind a company's gateway writes the completions and judges them, while the small model on
 * this machine is trained. Whatever turns messages into text will do. To train elsewhere as well, bring a `trainer` of your own:
 * the interface `Trainer` has sample, forwardBackward, optimStep, save and load.
 */
import { run, type ChatModel, type ChatRequest, type LibraryRun, type Message, type RoleModel, type Workbench } from 'deliberate';

/** What the gateway offers: one conversation in, one text out. */
export type Ask = (messages: readonly Message[], options: { seed: number; maxTokens: number; signal?: AbortSignal }) => Promise<string>;

export function gatewayModel(name: string, ask: Ask): ChatModel {
  return {
    name,
    async chat({ messages, n = 1, seed = 0, maxTokens, signal }: ChatRequest) {
      const texts = await Promise.all(
        // Samples must differ, and be the same when a run goes on: each has a seed of its own.
        Array.from({ length: n }, (_, sample) => ask(messages, { seed: seed + sample, maxTokens, ...(signal && { signal }) })),
      );
      // Everything the model wrote goes into `text`, its reasoning between <think> and </think>.
      const choices = texts.map((text) => ({ text, stopReason: 'stop' as const, tokens: Math.ceil(text.length / 4) }));
      const completionTokens = choices.reduce((sum, { tokens }) => sum + tokens, 0);
      return { choices, usage: { promptTokens: 0, completionTokens } };
    },
    // No choiceLogprobs: the judge is then asked for JSON instead of log-probabilities.
  };
}

/** The same workbench, but the model with the gateway has the roles of generator and judge. */
export function withGateway(bench: Workbench, model: ChatModel): Workbench {
  const role: RoleModel = {
    open: () => Promise.resolve(model),
    // Of all that its answers depend on: another model needs another digest.
    digest: model.name,
    concurrency: 16,
  };
  return { ...bench, layout: 'paper', servers: { generator: role, judge: role } };
}

export const alignWithGateway = (given: LibraryRun & { engine: Workbench }, ask: Ask) =>
  run({ ...given, engine: withGateway(given.engine, gatewayModel('gateway-1', ask)) });
