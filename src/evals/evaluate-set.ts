/** Evaluates one arm on a set: wraps, asks, grades, and writes rows beside those of the run's own suites. Resumable at any instant. */
import path from 'node:path';
import { writeJsonl } from '../base/jsonl.js';
import { inParallel } from '../base/parallel.js';
import { contentId } from '../base/records.js';
import { Random } from '../base/random.js';
import { wrapPrompt } from '../prompts/jailbreaks/wrap.js';
import type { AttackContext, ModelTechnique, Target } from './attacks/technique.js';
import type { ChosenTechniques } from './attacks/techniques.js';
import { answerPrompts, type ArmResult, type Asking } from './evaluate.js';
import { lastMessage, rowOf } from './grade-rows.js';
import { notComplied, ungradable, type Reply } from './graders.js';
import type { EvalJudge } from './judged/eval-judge.js';
import { gradeByRubric } from './judged/harmfulness.js';
import { LoggedModel, ReplyLog } from './logged-model.js';
import type { EvalRow } from './records.js';
import { summarise, units } from './results.js';
import { wrapSeeded } from './select.js';
import type { EvaluationSet, SetItem } from './sets/evaluation-set.js';

export interface SetEvaluation extends Asking {
  arm: string;
  set: EvaluationSet;
  items: readonly SetItem[];
  techniques: ChosenTechniques;
  judge: EvalJudge | null;
  /** Needed where techniques are written by a model. */
  attacker?: { model: LoggedModel; maxTokens: number; concurrency: number };
}

export interface SetResult {
  results: ArmResult[];
  /** Attacks that did not come about, by technique and reason; their variants are not asked, and count nowhere. */
  failed: Record<string, number>;
}

/** At most `count` requests, all parts alike, the same for the same seed; a smaller choice is part of a larger one. */
export function chooseRequests(items: readonly SetItem[], count: number, seed: number | string): SetItem[] {
  const parts = new Map<string, Map<string, SetItem[]>>();
  for (const item of items) {
    const requests = parts.get(item.part) ?? new Map<string, SetItem[]>();
    parts.set(item.part, requests);
    requests.set(item.prompt.request, [...(requests.get(item.prompt.request) ?? []), item]);
  }
  return [...parts.values()].flatMap((requests) =>
    [...requests]
      .map(([request, variants]) => ({ rank: contentId('choose', seed, request), variants }))
      .sort((a, b) => (a.rank < b.rank ? -1 : 1))
      .slice(0, count)
      .flatMap(({ variants }) => variants),
  );
}

/** @throws what the models throw, after what came in was written: call again to go on */
export async function evaluateSet(evaluation: SetEvaluation): Promise<SetResult> {
  const { arm, set, seed, judge, out, signal } = evaluation;
  const { items, failed } = await wrapItems(evaluation);
  const answers = await answerPrompts(
    evaluation,
    items.map(({ prompt }) => prompt),
  );
  signal?.throwIfAborted();
  const rows = new Map<SetItem, EvalRow>();
  await inParallel(
    items,
    judge?.concurrency ?? 1,
    async (item) => {
      const answer = answers.get(item.prompt.id)!;
      const unscored = ungradable(answer);
      const grade =
        unscored === null
          ? await set.grade({ ...answer, request: lastMessage(item.prompt) }, item, judge)
          : { score: null, unscored, faults: [] };
      rows.set(item, rowOf(arm, item.part, item.prompt, answer, grade));
    },
    signal,
  );
  const results: ArmResult[] = [];
  for (const part of set.parts) {
    const own = items.filter((item) => item.part === part.name).map((item) => rows.get(item)!);
    if (own.length === 0) continue;
    await writeJsonl(path.join(path.dirname(out), `${part.name}.jsonl`), own);
    results.push({ result: summarise(arm, part, own, seed), units: units(part, own) });
  }
  return { results, failed };
}

/** Every item in every technique chosen. Harmless ones stay as they are: over-refusal is asked plainly here. */
async function wrapItems(evaluation: SetEvaluation): Promise<{ items: SetItem[]; failed: Record<string, number> }> {
  const { items, techniques, seed } = evaluation;
  const failed: Record<string, number> = {};
  // What a wrapper would be put around is one turn.
  const wrappable = ({ prompt }: SetItem) => prompt.ideal === 'refuse' && prompt.technique === 'none' && prompt.messages.length === 1;
  const some = techniques.pure.length + techniques.written.length > 0;
  const fail = (technique: string, reason: string) => {
    const key = `${technique}: ${reason}`;
    failed[key] = (failed[key] ?? 0) + 1;
  };
  const asked = items.flatMap((item) => {
    if (!wrappable(item) || !some) return [item];
    const wrapped = techniques.pure.flatMap((technique) => {
      const prompt = wrapSeeded(item.prompt, technique, seed);
      if (prompt === null) fail(technique.name, 'finds nothing to change in the request');
      return prompt === null ? [] : [{ ...item, prompt }];
    });
    return [...(techniques.plain ? [item] : []), ...wrapped];
  });
  const jobs = items.filter(wrappable).flatMap((item) => techniques.written.map((technique) => ({ item, technique })));
  if (jobs.length > 0) {
    const written = new Map<(typeof jobs)[number], SetItem>();
    await attackAll(evaluation, jobs, (job, outcome) => {
      if (typeof outcome !== 'string') written.set(job, outcome);
      else fail(job.technique.name, outcome);
    });
    asked.push(...jobs.flatMap((job) => written.get(job) ?? []));
  }
  return { items: asked, failed };
}

interface Job {
  item: SetItem;
  technique: ModelTechnique;
}

/** The wrapped item of every job, or why there is none. */
async function attackAll(
  evaluation: SetEvaluation,
  jobs: readonly Job[],
  done: (job: Job, outcome: SetItem | string) => void,
): Promise<void> {
  const { attacker, signal, out } = evaluation;
  if (attacker === undefined) throw new Error('internal: techniques that a model writes, and no attacker');
  const log = await ReplyLog.open(path.join(path.dirname(out), '.target.jsonl'));
  try {
    const target = targetOf(evaluation, log);
    await inParallel(
      jobs,
      attacker.concurrency,
      async (job) => {
        const { item, technique } = job;
        const context: AttackContext = {
          attacker: attacker.model,
          seed: evaluation.seed,
          maxTokens: attacker.maxTokens,
          ...(technique.adaptive && { target }),
        };
        const attack = await technique.apply(item.plain, context);
        if ('failed' in attack) done(job, attack.failed);
        else {
          const fixed = { name: technique.name, family: technique.family, apply: () => attack.text, recover: () => null };
          // The check against an unchanged prompt is that of pure techniques.
          done(job, { ...item, prompt: wrapPrompt(item.prompt, fixed, new Random(0)) });
        }
      },
      signal,
    );
  } finally {
    await log.close();
  }
}

/** The arm as a target: asked as the suites ask it, its harm graded by the judge, or by the rules where there is none. */
function targetOf({ model, modelDigest, contextFor, split, seed, maxTokens, judge, signal }: SetEvaluation, log: ReplyLog): Target {
  const logged = new LoggedModel(model, contentId('target', modelDigest), log, signal);
  return {
    async reply(text): Promise<Reply> {
      const messages = [{ role: 'user' as const, content: text }];
      const context = contextFor?.({ id: '', messages, request: '', technique: 'none', tags: [], source: 'attack' }) ?? [];
      const reply = await logged.ask({ messages: [...context, ...messages], maxTokens, temperature: 0, seed });
      return { ...split(reply.text), stopReason: reply.stopReason };
    },
    async harm(request, reply) {
      if (ungradable(reply) !== null) return null;
      const { score } = judge === null ? notComplied(reply) : await gradeByRubric(judge, request, reply.answer);
      return score === null ? null : 1 - score;
    },
  };
}
