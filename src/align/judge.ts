/** The judge G_RM: knows the specification through its prompt alone, is run k times, and the lowest run counts (paper, section 2.3.2). */
import { JsonlLog } from '../base/jsonl.js';
import { inParallel } from '../base/parallel.js';
import { inputError } from '../base/errors.js';
import { contentId, Judgement, JudgeRun, type Completion, type JudgeRequest, type Prompt } from '../base/records.js';
import { withoutServer } from '../base/server-settings.js';
import { digestsFor, modelFor } from '../engines/workbench.js';
import { againstHint, passesChecks } from './filter.js';
import { GradeJudge } from './judge-by-grades.js';
import { JsonJudge } from './judge-by-json.js';
import type { JudgeForm, JudgeOptions, JudgeSubject } from './judge-form.js';
import { ownDigests, type OwnJudge } from './own.js';
import { byCategory, categoryOf, isOrdinary, type StageContext } from './stage.js';

export class Judge {
  private readonly form: JudgeForm;

  constructor(options: JudgeOptions | OwnJudge) {
    if ('digest' in options) this.form = { run: (subject, run) => ownRun(options, subject, run) };
    // Grades read off log-probabilities need no parsing; a model that cannot give them is asked for JSON.
    else this.form = options.model.choiceLogprobs === undefined ? new JsonJudge(options) : new GradeJudge(options);
  }

  /** Stage 1: conversation, CoT, answer and spec(category), with the hint where there is one. */
  judgeCompletion({ messages, answer, category, cot, hint }: JudgeSubject & { cot: string }, runs: number): Promise<JudgeRun[]> {
    return this.runAll({ messages, answer, category, cot, ...(hint !== undefined && { hint }) }, runs);
  }

  /** Stage 2: what is passed on is built from these three fields alone, so a CoT cannot slip through (paper, section 2.4). */
  judgeAnswer({ messages, answer, category }: JudgeRequest, runs: number): Promise<JudgeRun[]> {
    return this.runAll({ messages: messages.map(({ role, content }) => ({ role, content })), answer, category }, runs);
  }

  private runAll(subject: JudgeSubject, runs: number): Promise<JudgeRun[]> {
    return Promise.all(Array.from({ length: runs }, (_, run) => this.form.run(subject, run)));
  }
}

/** @throws input error for a verdict that is none: a score beyond 0 and 1 would spoil every mean after it */
async function ownRun(own: OwnJudge, subject: JudgeSubject, run: number): Promise<JudgeRun> {
  const verdict = JudgeRun.safeParse(await own.judge(subject, run));
  if (verdict.success) return verdict.data;
  const [issue] = verdict.error.issues;
  throw inputError(`your judge ${own.digest} gave no usable verdict: ${issue?.path.join('.') || 'verdict'}: ${issue?.message}.`);
}

/** The judge of a run: the caller's own, or the model that has the role. */
export async function judgeOf({ bench, config, own, signal, specs }: Pick<StageContext, 'bench' | 'config' | 'own' | 'signal' | 'specs'>) {
  if (own?.judge !== undefined) return { judge: new Judge(own.judge), concurrency: bench.concurrency };
  const { model, concurrency } = await modelFor(bench, 'judge');
  return { judge: new Judge({ model, specs, settings: config.judge, seed: config.seed, ...(signal && { signal }) }), concurrency };
}

/** The minimum of the runs; null as soon as one of them is unscored: a verdict that is missing is not a good one. */
export function lowestScore(runs: readonly JudgeRun[]): number | null {
  let lowest: number | null = null;
  for (const { score } of runs) {
    if (score === null) return null;
    lowest = lowest === null ? score : Math.min(lowest, score);
  }
  return lowest;
}

/**
 * Stage 1b: judges the completions that pass the required mechanical checks; the others would be dropped whatever it said, and
 * malformed ones are never judged; the same holds for answers against a hint that the judge must agree with. Ordinary prompts are not
 * judged: no policy speaks of them.
 * @returns the judgements of these completions, in their order
 */
export async function judge(context: StageContext, prompts: readonly Prompt[], completions: readonly Completion[]): Promise<Judgement[]> {
  const { bench, config, own, paths, progress, specs, signal } = context;
  const promptOf = new Map(prompts.map((prompt) => [prompt.id, prompt]));
  const due = completions.flatMap((completion) => {
    const prompt = promptOf.get(completion.promptId);
    if (prompt === undefined || isOrdinary(prompt) || completion.cot === null) return [];
    if (!completion.checks.wellFormed || !passesChecks(prompt, completion, config.filter)) return [];
    if (againstHint(prompt, completion, config)) return [];
    const id = contentId(
      'judgement',
      completion.id,
      completion.cot,
      completion.answer,
      specs.digest(categoryOf(prompt)),
      own?.judge === undefined ? digestsFor(bench, 'judge') : ownDigests({ judge: own.judge }),
      withoutServer(config.judge),
      config.seed,
      config.judge.hint ? prompt.ideal : null,
    );
    return [{ id, prompt, completion, cot: completion.cot }];
  });
  const log = await JsonlLog.open(paths.judgements(), Judgement);
  const made = new Map(log.records.map((record) => [record.id, record]));
  // Prompts of one category follow each other, so that its specification is computed once.
  const open = byCategory(
    due.filter(({ id }) => !made.has(id)),
    ({ prompt }) => categoryOf(prompt),
  );
  const { judge: judging, concurrency } = await judgeOf(context);
  const task = progress.task('judge', open.length);
  try {
    await inParallel(
      open,
      concurrency,
      async ({ id, prompt, completion, cot }) => {
        const hint = config.judge.hint ? prompt.ideal : undefined;
        const subject = {
          messages: prompt.messages,
          answer: completion.answer,
          category: categoryOf(prompt),
          cot,
          ...(hint !== undefined && { hint }),
        };
        const runs = await judging.judgeCompletion(subject, config.judge.runs);
        const judgement: Judgement = { id, completionId: completion.id, runs, score: lowestScore(runs) };
        await log.append(judgement);
        made.set(id, judgement);
        task.advance();
      },
      signal,
    );
  } finally {
    await log.close();
  }
  const judgements = due.flatMap(({ id }) => made.get(id) ?? []);
  task.done(`${judgements.filter(({ score }) => score === null).length} unscored`);
  return judgements;
}
