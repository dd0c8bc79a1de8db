/** Gives prompts a category where their author gave none (paper, section 2.2: prompts come with a category). Unknown is `none`. */
import { z } from 'zod';
import { JsonlLog } from '../base/jsonl.js';
import { inParallel } from '../base/parallel.js';
import { contentId, type Message, type Prompt } from '../base/records.js';
import { digestsFor, modelFor } from '../engines/workbench.js';
import { splitCot } from '../lm/split-cot.js';
import type { Spec } from './spec/types.js';
import { findCategory } from './spec/lookup.js';
import type { StageContext } from './stage.js';

export const Categorised = z.strictObject({ id: z.string(), promptId: z.string(), category: z.string(), said: z.string() });
export type Categorised = z.infer<typeof Categorised>;

/** The same prompts, each with a category of the specification or `none`. @throws input error for a category that the specification does not have */
export async function categorise(context: StageContext, prompts: readonly Prompt[]): Promise<Prompt[]> {
  const { specs, bench, config, paths, progress, signal } = context;
  for (const { category } of prompts) if (category !== undefined && category !== 'none') findCategory(specs.spec, category);
  const open = prompts.filter(({ category }) => category === undefined);
  if (open.length === 0) return [...prompts];
  const log = await JsonlLog.open(paths.categories(), Categorised);
  const known = new Map(log.records.map((record) => [record.id, record.category]));
  const found = new Map<string, string>();
  const missing = open.flatMap((prompt) => {
    const messages = question(specs.spec, prompt.messages);
    const model = bench.servers?.categoriser === undefined ? config.engine.model : null;
    const id = contentId('category', messages, digestsFor(bench, 'categoriser'), model);
    const category = known.get(id);
    if (category === undefined) return [{ prompt, messages, id }];
    found.set(prompt.id, category);
    return [];
  });
  const task = progress.task('categorise', missing.length);
  try {
    if (missing.length > 0) {
      const { model, concurrency } = await modelFor(bench, 'categoriser');
      await inParallel(
        missing,
        concurrency,
        async ({ prompt, messages, id }) => {
          const { choices } = await model.chat({ messages, maxTokens: 48, temperature: 0, sharedMessages: 1, ...(signal && { signal }) });
          const said = choices[0]?.text ?? '';
          const category = readCategory(specs.spec, said);
          await log.append({ id, promptId: prompt.id, category, said });
          found.set(prompt.id, category);
          task.advance();
        },
        signal,
      );
    }
  } finally {
    await log.close();
  }
  task.done(`${[...found.values()].filter((category) => category === 'none').length} of no category`);
  return prompts.map((prompt) => (prompt.category === undefined ? { ...prompt, category: found.get(prompt.id) ?? 'none' } : prompt));
}

const question = (spec: Spec, messages: readonly Message[]): Message[] => [
  {
    role: 'system',
    content: [
      'Sort the request into one category. Answer with the name of the category alone, or with "none" where none fits.',
      ...spec.categories.map(({ name, summary }) => `${name}: ${summary}`),
    ].join('\n'),
  },
  ...messages.filter(({ role }) => role !== 'system'),
];

/** The one category that the reply is or names; `none` when it names none or several: never a wrong one for want of a right one. */
export function readCategory(spec: Spec, said: string): string {
  const { answer } = splitCot(said);
  const plain = (text: string) =>
    ` ${text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, ' ')
      .trim()} `;
  const text = plain(answer);
  const named = spec.categories.filter(({ name, title }) => text.includes(plain(name)) || text.includes(plain(title)));
  return named.length === 1 ? (named[0]?.name ?? 'none') : 'none';
}
