/** `--to inspect`: every evaluation of a run or a study as a log of Inspect (JSON, version 2), to be opened with `inspect view`. */
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import { contentId, type Message } from '../base/records.js';
import { evaluationSets } from '../evals/sets/all-sets.js';
import type { SetPart } from '../evals/sets/evaluation-set.js';
import type { EvalRow } from '../evals/records.js';
import { summarise } from '../evals/results.js';
import { suites } from '../evals/suites.js';
import { conversations, type Conversations } from './conversations.js';
import type { Evaluated } from './evaluated.js';
import { specificationDigest } from './model-card.js';
import type { ExportTarget } from './target.js';

export const inspect: ExportTarget = {
  kind: 'evaluations',
  text: 'evaluations as logs of Inspect, with chains of thought: all arms and sets of a run, all conditions of a study',
  async write({ folder, evaluated, baseName }) {
    const known = new Map<Evaluated['run'], Conversations>();
    for (const one of evaluated) {
      const asked = known.get(one.run) ?? (await conversations(one.run.prompts));
      known.set(one.run, asked);
      const log = evalLog(one, asked, baseName);
      await writeTextAtomically(path.join(folder, one.place, logName(log)), `${JSON.stringify(log, null, 1)}\n`);
    }
    return [`${evaluated.length} logs: inspect view --log-dir FOLDER`];
  },
};

/** What a suite or a part of a set says of itself; one of an older version says its name. */
type Described = Pick<SetPart, 'name' | 'title' | 'metric' | 'summary' | 'rates'>;
const described = new Map<string, Described>([...suites, ...evaluationSets.flatMap(({ parts }) => parts)].map((one) => [one.name, one]));
const describe = (name: string): Described => described.get(name) ?? { name, title: name, metric: 'score', summary: 'mean' };

type Log = ReturnType<typeof evalLog>;

/** Inspect lists logs by this form of name: time, task, id. */
const logName = ({ eval: { created, task, task_id: id } }: Log): string =>
  `${created.replaceAll(':', '-')}_${task.replaceAll('_', '-')}_${id}.json`;

function evalLog({ run, place, arm, suite: name, rows, when, specification }: Evaluated, asked: Conversations, baseName: string) {
  const suite = describe(name);
  const created = when.toISOString().replace(/\.\d+Z$/, '+00:00');
  const model = `deliberate/${(place === '' ? `${run.config.name}-${arm}` : `${place}-${arm}`).replaceAll(/[^\w+.-]+/g, '-')}`;
  const id = (...parts: unknown[]) => contentId('inspect', run.digests, run.config.name, place, ...parts);
  const scored = rows.flatMap(({ score }) => (score === null ? [] : [score]));
  const result = summarise(arm, suite, rows, run.config.seed);
  const metric = (name: string, value: number) => [name, { name, value, params: {}, metadata: {} }] as const;
  const metrics = [
    ...(scored.length > 0 ? [metric('mean', scored.reduce((sum, score) => sum + score, 0) / scored.length)] : []),
    ...(result.estimate === null ? [] : [metric('estimate', result.estimate)]),
    ...(result.low === null || result.high === null ? [] : [metric('low_95', result.low), metric('high_95', result.high)]),
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
      task_args: { arm, suite: suite.name, ...(place !== '' && { place }) },
      dataset: { name: suite.title, samples: rows.length, sample_ids: rows.map(({ promptId }) => promptId), shuffled: false },
      model,
      model_args: { base: path.basename(baseName), arm },
      config: { epochs: 1 },
      packages: {},
      tags: ['deliberate', ...(place === '' ? [] : [place])],
      metadata: {
        metric: suite.metric,
        ...(specification !== null && { specification: specificationDigest(specification) }),
        model_digest: run.digests.model,
      },
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
    samples: rows.map((row) => sample(asked, model, suite.name, row)),
  };
}

/** The viewer shows what a tool brought under the call that asked for it, and nowhere else; our conversations name no call. */
const withCalls = (messages: readonly Message[]) =>
  messages.map(({ role, content }, i) => {
    if (role === 'tool') return { role, content, tool_call_id: `call-${i}`, function: 'tool' };
    const calls = role === 'assistant' && messages[i + 1]?.role === 'tool';
    return { role, content, ...(calls && { tool_calls: [{ id: `call-${i + 1}`, function: 'tool', arguments: {}, type: 'function' }] }) };
  });

const sum = (rows: readonly EvalRow[]): number => rows.reduce((total, { tokens }) => total + tokens, 0);

const stopReasons = { stop: 'stop', length: 'max_tokens', refusal: 'content_filter', filter: 'content_filter', error: 'unknown' } as const;

function sample(asked: Conversations, model: string, scorer: string, row: EvalRow) {
  const { messages, whole } = asked.of(row);
  const input = withCalls(messages);
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
      ...(row.verdict !== undefined && { verdict: row.verdict }),
      ...(!whole && { conversation: 'its last message alone is known' }),
      ...(row.unscored !== undefined && { unscored: row.unscored }),
    },
    store: {},
    events: [],
    model_usage: { [model]: usage },
    attachments: {},
  };
}
