/** Answers with a label: what a judge is calibrated against. */
import path from 'node:path';
import { z } from 'zod';
import { readJsonl } from '../base/jsonl.js';
import { contentId, lastRequest, Message } from '../base/records.js';
import { answerMatches } from '../align/check.js';
import type { ChatModel } from '../engines/types.js';
import { labelledOutputsFile, readLabelled } from '../evals/grader-agreement.js';
import { roundRobin } from '../prompts/sample-evenly.js';
import { Override } from '../view/overrides.js';
import { rowsOfRun } from './evaluate-model.js';
import { handLabelsHold, joinLabels } from './hand-labels.js';
import type { FirstRun, Lab } from './study.js';

/** The judge of a study: its model keeps what it was asked. */
export interface JudgeBench {
  lab: Lab;
  first: FirstRun;
  model: ChatModel;
  concurrency: number;
}

export interface JudgeItem {
  id: string;
  /** Request that it answers: the cluster. */
  request: string;
  messages: readonly Message[];
  category: string;
  answer: string;
  good: boolean;
}

const Labelled = z.strictObject({ messages: z.array(Message).min(1), category: z.string(), answer: z.string(), good: z.boolean() });
/** What people said in `deliberate view` is a label as well. */
const Line = z.union([Labelled, Override], {
  error: 'must be {messages, category, answer, good}, or a line of an overrides.jsonl',
});

export interface JudgeItems {
  items: JudgeItem[];
  /** Where the labels come from, for the reader of the findings. */
  note: string;
}

/**
 * The labels of the file that the settings name; else those given by hand, where they hold; else `own`, the answers of the run's
 * arms, by rules. Good ones and bad ones in turn.
 */
export async function judgeItems({ settings, config, prompts }: Lab, own: readonly JudgeItem[]): Promise<JudgeItems> {
  const { labels, items: most } = settings.judge;
  if (labels !== undefined)
    return { items: inTurn(labelledItems(await readJsonl(labels, Line)), most), note: `Labels: ${path.basename(labels)}.` };
  if (!handLabelsHold(config(settings.seeds[0]!)))
    return {
      items: inTurn(own, most),
      note: 'An answer counts as good when its kind, by the published rules, is the ideal kind that the author of the prompt gave. Style is not in it.',
    };
  const joined = joinLabels(await readLabelled(labelledOutputsFile), prompts);
  const items = inTurn(joined.items, most);
  return {
    items,
    note: [
      `Labels: ${items.length} of the ${joined.items.length} outputs of ${path.basename(labelledOutputsFile)} that can be judged`,
      `(left out: ${joined.unknownPrompt} whose prompt has no category or ideal kind, ${joined.neverJudged} that the rules call gibberish, which never reach a judge).`,
      'An answer counts as good when the kind that a reader gave it is the ideal kind of its prompt. Style is not in it, nor whether what it says is right.',
    ].join(' '),
  };
}

/** Of several labels of one answer the last counts; one that was taken back leaves it without. */
export function labelledItems(lines: readonly z.infer<typeof Line>[]): JudgeItem[] {
  const items = new Map<string, JudgeItem>();
  for (const line of lines) {
    const { messages, category, answer } = line;
    const id = contentId('item', messages, answer);
    const good = 'good' in line ? line.good : line.verdict === null ? null : line.verdict === 1;
    if (good === null) items.delete(id);
    else items.set(id, { id, request: contentId('request', messages), messages, category, answer, good });
  }
  return [...items.values()];
}

/** Answers of the run's arms to test prompts of known ideal kind, by which they are good or bad. */
export async function armItems({ paths, prepared, config }: FirstRun): Promise<JudgeItem[]> {
  const promptOf = new Map(prepared.test.map((prompt) => [prompt.id, prompt]));
  const items = new Map<string, JudgeItem>();
  for (const arm of config.eval.arms) {
    if (arm === 'sft+rl' && config.rl.steps === 0) continue;
    for (const { promptId, request, answer, category, kind, stopReason } of (await rowsOfRun(paths, arm)).get('policy-retrieval') ?? []) {
      const prompt = promptOf.get(promptId);
      // Gibberish and cut-off answers never reach a judge.
      if (prompt?.ideal === undefined || category === 'none' || answer === '' || kind === 'gibberish' || stopReason !== 'stop') continue;
      const id = contentId('item', prompt.messages, answer);
      items.set(id, {
        id,
        request,
        messages: prompt.messages,
        category,
        answer,
        good: answerMatches(answer, prompt.ideal, lastRequest(prompt.messages)),
      });
    }
  }
  return [...items.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function inTurn(items: readonly JudgeItem[], most: number): JudgeItem[] {
  const ordered = [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
  return roundRobin([ordered.filter(({ good }) => good), ordered.filter(({ good }) => !good)]).slice(0, most);
}
