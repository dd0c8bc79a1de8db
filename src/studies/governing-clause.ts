/** Which clause a request falls under: what the base cites with spec(category) before it. Prompts carry a category, not a clause. */
import type { Prompt } from '../base/records.js';
import { inParallel } from '../base/parallel.js';
import { sharedLayout } from '../align/generation-prompt.js';
import { repairCitations } from '../align/repair.js';
import { readCitations } from '../align/spec/lines.js';
import type { Clause } from '../align/spec/types.js';
import { byCategory, categoryOf, type StageContext } from '../align/stage.js';
import type { ChatModel } from '../engines/types.js';
import { splitCot } from '../lm/split-cot.js';

/** The clause by prompt id; prompts for which no clause of their category is cited are left out. */
export async function governingClauses(
  { specs, config, bench, signal }: StageContext,
  model: ChatModel,
  prompts: readonly Prompt[],
): Promise<Map<string, Clause>> {
  const found = new Map<string, Clause>();
  await inParallel(
    byCategory(prompts, categoryOf),
    bench.concurrency,
    async (prompt) => {
      const category = categoryOf(prompt);
      const { choices } = await model.chat({
        ...sharedLayout(prompt.messages, specs.text(category)),
        maxTokens: config.judge.maxTokens,
        temperature: 0,
        stop: ['</think>'],
        ...(signal && { signal }),
      });
      const { cot } = splitCot(`${choices[0]?.text ?? ''}</think>`);
      const own = specs.spec.categories.find(({ name }) => name === category)?.clauses ?? [];
      const codes = readCitations(repairCitations(cot ?? '', specs.spec, category).cot).map(({ code }) => code);
      const clause = own.find(({ code }) => codes.includes(code));
      if (clause !== undefined) found.set(prompt.id, clause);
    },
    signal,
  );
  return found;
}
