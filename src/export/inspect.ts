/** `--to inspect`: every evaluation as a log of Inspect (JSON, version 2), to be opened with `inspect view`. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import { inputError } from '../base/errors.js';
import { readJsonl } from '../base/jsonl.js';
import { contentId, type Message } from '../base/records.js';
import { EvalRow } from '../evals/records.js';
import { suites } from '../evals/suites.js';
import { specificationDigest } from './model-card.js';
import type { RunContents } from './run-contents.js';
import type { DataContext, ExportTarget } from './target.js';

export const inspect: ExportTarget = {
  kind: 'data',
  text: 'evaluations of all arms as logs of Inspect, with chains of thought',
  async write(context) {
    const { folder, run } = context;
    let count = 0;
    for (const arm of (await readdir(run.paths.file('arms')).catch(() => [] as string[])).sort()) {
      for (const suite of suites) {
        const file = path.join(path.dirname(run.paths.answers(arm)), `${suite.name}.jsonl`);
        if (!existsSync(file)) continue;
        const log = evalLog(context, arm, suite, await readJsonl(file, EvalRow), (await stat(file)).mtime);
        await writeTextAtomically(path.join(folder, logName(log)), `${JSON.stringify(log, null, 1)}\n`);
        count++;
      }
    }
    if (count === 0) throw inputError(`${run.paths.file('arms')}: holds no evaluation. Run \`deliberate eval ${run.paths.root}\` first.`);
    return [`${count} logs: inspect view --log-dir FOLDER`];
  },
};

type Log = ReturnType<typeof evalLog>;

/** Inspect lists logs by this form of name: time, task, id. */
const logName = ({ eval: { created, task, task_id: id } }: Log): string =>
  `${created.replaceAll(':', '-')}_${task.replaceAll('_', '-')}_${id}.json`;

function evalLog(
  { run, baseName, specification }: DataContext,
  arm: string,
  suite: (typeof suites)[number],
  rows: readonly EvalRow[],
  when: Date,
) {
  const created = when.toISOString().replace(/\.\d+Z$/, '+00:00');
  const model = `deliberate/${run.config.name}-${arm}`;
  const id = (...parts: unknown[]) => contentId('inspect', run.digests, run.config.name, ...parts);
  const scored = rows.flatMap(({ score }) => (score === null ? [] : [score]));
  const result = run.scorecard?.results.find((one) => one.arm === arm && one.suite === suite.name);
  const metric = (name: string, value: number) => [name, { name, value, params: {}, metadata: {} }] as const;
  const metrics = [
    ...(scored.length > 0 ? [metric('mean', scored.reduce((sum, score) => sum + score, 0) / scored.length)] : []),
    ...(result?.estimate == null ? [] : [metric('estimate', result.estimate)]),
    ...(result?.low == null || result.high == null ? [] : [metric('low_95', result.low), metric('high_95', result.high)]),
  ];
  return {
    version: 2,
    status: 'success',
    eval: {
      eval_id: id('eval', arm, suite.name),
      run_id: id('run'),
      created,
      task: suite.name,
      task_id: id('task', suite.name, arm),
      task_version: 0,
      task_attribs: {},
      task_args: { arm, suite: suite.name },
      dataset: { name: suite.title, samples: rows.length, sample_ids: rows.map(({ promptId }) => promptId), shuffled: false },
      model,
      model_args: { base: path.basename(baseName), arm },
      config: { epochs: 1 },
      packages: {},
      tags: ['deliberate'],
      metadata: { metric: suite.metric, specification: specificationDigest(specification), model_digest: run.digests.model },
    },
    plan: { name: 'plan', steps: [{ solver: 'generate', params: {} }], config: { max_tokens: run.config.eval.maxTokens, temperature: 0 } },
    results: {
      total_samples: rows.length,
      completed_samples: rows.length,
      scores: [
        {
          name: suite.name,
          scorer: suite.name,
          scored_samples: scored.length,
          unscored_samples: rows.length - scored.length,
          params: {},
          metrics: Object.fromEntries(metrics),
          metadata: { metric: suite.metric },
        },
      ],
    },
    stats: {
      started_at: created,
      completed_at: created,
      model_usage: { [model]: { input_tokens: 0, output_tokens: sum(rows), total_tokens: sum(rows) } },
    },
    samples: rows.map((row) => sample(run, model, suite.name, row)),
  };
}

const sum = (rows: readonly EvalRow[]): number => rows.reduce((total, { tokens }) => total + tokens, 0);

const stopReasons = { stop: 'stop', length: 'max_tokens', refusal: 'content_filter', filter: 'content_filter', error: 'unknown' } as const;

function sample({ prompts }: RunContents, model: string, scorer: string, row: EvalRow) {
  const asked: readonly Message[] = prompts.find(({ id }) => id === row.promptId)?.messages ?? [{ role: 'user', content: row.prompt }];
  const input = asked.map(({ role, content }) => ({ role, content }));
  const answer = {
    role: 'assistant',
    content: [...(row.cot === null ? [] : [{ type: 'reasoning', reasoning: row.cot }]), { type: 'text', text: row.answer }],
    source: 'generate',
    model,
  };
  const usage = { input_tokens: 0, output_tokens: row.tokens, total_tokens: row.tokens };
  return {
    id: row.promptId,
    epoch: 1,
    input,
    target: row.ideal ?? '',
    messages: [...input, answer],
    output: { model, choices: [{ message: answer, stop_reason: stopReasons[row.stopReason] }], usage },
    // Inspect has no value for what could not be scored, so such a sample has no score; why is in its metadata.
    scores:
      row.score === null
        ? {}
        : {
            [scorer]: {
              value: row.score,
              answer: row.kind,
              explanation: row.faults.join('; ') || 'no fault found',
              metadata: { ideal: row.ideal, faults: row.faults, repetition: row.repetition },
            },
          },
    metadata: {
      category: row.category,
      technique: row.technique,
      request: row.request,
      ...(row.unscored !== undefined && { unscored: row.unscored }),
    },
    store: {},
    events: [],
    model_usage: { [model]: usage },
    attachments: {},
  };
}
