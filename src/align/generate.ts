/** Stage 1a: the base, with spec(category) in its context, writes CoT and answer (paper, section 2.3.1). */
import { JsonlLog } from '../base/jsonl.js';
import { inParallel } from '../base/parallel.js';
import { Completion, contentId, lastRequest, type Prompt } from '../base/records.js';
import type { ChatChoice, ChatModel } from '../engines/types.js';
import { digestsFor, modelFor } from '../engines/workbench.js';
import { splitCot } from '../lm/split-cot.js';
import { checkCompletion } from './check.js';
import { answerAgain, lacksOnlyAnswer } from './answer-again.js';
import { repairCitations } from './repair.js';
import { paperLayout, sharedLayout } from './generation-prompt.js';
import { summariseDrops } from './spec/render.js';
import type { Spec } from './spec/types.js';
import { byCategory, categoryOf, seedFrom, type StageContext } from './stage.js';

/**
 * `samples` completions of every prompt, in the order of the prompts. Those that completions.jsonl holds are not made again;
 * a completion's id hashes all it depends on, so after an edit of one category only that category's are missing.
 */
export async function generate(context: StageContext, prompts: readonly Prompt[]): Promise<Completion[]> {
  const { bench, config, paths, progress, specs, signal } = context;
  const { samples, answers, layout = bench.layout, maxTokens, temperature, topP } = config.generate;
  const log = await JsonlLog.open(paths.completions(), Completion);
  const made = new Map(log.records.map((record) => [record.id, record]));
  const idsOf = new Map(prompts.map((prompt) => [prompt, completionIds(context, prompt)]));
  const ids = (prompt: Prompt) => idsOf.get(prompt) ?? [];
  // Prompts of one category follow each other, so that its specification is computed once.
  const open = byCategory(
    prompts.filter((prompt) => ids(prompt).some((id) => !made.has(id))),
    categoryOf,
  );
  for (const category of new Set(open.map(categoryOf))) {
    const dropped = specs.dropped(category);
    if (dropped.length > 0)
      progress.say(
        `generate: models do not see all of ${category}: ${summariseDrops(dropped)} did not fit generate.specTokens (${specs.options.maxTokens}); raise it, or shorten the policy.`,
      );
  }
  const task = progress.task('generate', open.length * samples);
  const ask = async (model: ChatModel, prompt: Prompt) => {
    const layOut = layout === 'paper' ? paperLayout : sharedLayout;
    const { messages, sharedMessages } = layOut(prompt.messages, specs.text(categoryOf(prompt)));
    const seed = seedFrom('generate', config.seed, prompt.id);
    const request = { messages, sharedMessages, maxTokens, temperature, topP, ...(signal && { signal }) };
    const { choices, usage } = await model.chat({ ...request, n: samples, seed });
    const first = ids(prompt).flatMap((id, sample) => {
      const choice = choices[sample];
      // An engine's failure is not kept: going on asks again.
      return choice === undefined || choice.stopReason === 'error' || made.has(id)
        ? []
        : [toCompletion(id, prompt, sample, choice, specs.spec)];
    });
    const found = await Promise.all(
      first.map((completion) =>
        answers > 1 && lacksOnlyAnswer(completion)
          ? answerAgain(model, { ...request, n: answers - 1 }, completion, { prompt, spec: specs.spec, seed: config.seed })
          : Promise.resolve(completion),
      ),
    );
    const completions = found.filter((completion) => completion !== null);
    await log.append(...completions);
    for (const completion of completions) made.set(completion.id, completion);
    task.advance(samples, usage.completionTokens);
  };
  try {
    // Where nothing is missing, as after a merge of shards, no generator is needed.
    if (open.length > 0) {
      const { model, concurrency } = await modelFor(bench, 'generator');
      await inParallel(open, concurrency, (prompt) => ask(model, prompt), signal);
    }
  } finally {
    await log.close();
  }
  task.done();
  return prompts.flatMap((prompt) => ids(prompt).flatMap((id) => made.get(id) ?? []));
}

/** Ids of a prompt's completions, by sample. */
export function completionIds({ bench, config, specs }: StageContext, prompt: Prompt): string[] {
  const { samples, answers, layout = bench.layout, maxTokens, temperature, topP } = config.generate;
  return Array.from({ length: samples }, (_, sample) =>
    contentId(
      'completion',
      specs.digest(categoryOf(prompt)),
      prompt.messages,
      digestsFor(bench, 'generator'),
      { layout, maxTokens, temperature, topP, seed: config.seed, samples, ...(answers > 1 && { answers }) },
      sample,
    ),
  );
}

function toCompletion(id: string, prompt: Prompt, sample: number, { text, stopReason }: ChatChoice, spec: Spec): Completion {
  const { cot: written, answer, malformed } = splitCot(text);
  const category = categoryOf(prompt);
  const { cot, repaired } = written === null ? { cot: null, repaired: 0 } : repairCitations(written, spec, category);
  const checked = checkCompletion({ cot, answer, request: lastRequest(prompt.messages), malformed, stopReason, spec, category });
  return { id, promptId: prompt.id, sample, cot, answer, stopReason, repaired, ...checked };
}
