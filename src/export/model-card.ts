/** The card that goes with every exported model: from which specification, out of which data, how good, and where its limits are. */
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import type { ArmName } from '../base/config.js';
import { contentId } from '../base/records.js';
import { rate } from '../evals/scorecard.js';
import { isTrained, type RunContents } from './run-contents.js';
import type { ModelContext } from './target.js';

/** One digest of all that a specification says, from those of its categories: the one that `serve` names in its answers. */
export const specificationDigest = (categories: Readonly<Record<string, string>>): string => contentId('specification', categories);

/** Models are published: a path of this machine says nothing to others. */
const publicName = (name: string): string => (path.isAbsolute(name) || name.startsWith('.') ? path.basename(name) : name);

/** Writes README.md. @param use how this form of the model is used, in Markdown */
export async function writeModelCard(context: ModelContext, library: string, use: string): Promise<void> {
  const { run, arm, baseName } = context;
  const base = publicName(baseName);
  const front = [
    '---',
    `base_model: ${JSON.stringify(base)}`,
    `library_name: ${library}`,
    'tags: [deliberative-alignment, deliberate]',
    '---',
  ];
  const body = [
    `# ${run.config.name}: ${arm}`,
    summary(arm, base),
    '## Use',
    use,
    'The model writes its chain of thought between `<think>` and `</think>`, plain text and no control tokens, then the answer. Show people the answer; keep the chain of thought for those who look into the model.',
    '## Specification',
    specification(context),
    '## Data',
    data(run),
    '## Training',
    training(context),
    '## Scores',
    scores(run, arm),
    '## Limits',
    limits,
  ];
  await writeTextAtomically(path.join(context.folder, 'README.md'), `${front.join('\n')}\n\n${body.join('\n\n')}\n`);
}

const summaries: Partial<Record<string, string>> = {
  'sft+rl':
    'learnt to recall a specification and to reason over it before it answers: supervised fine-tuning on its own judged reasoning, then reinforcement learning with a judge that sees the answer and not the chain of thought',
  sft: 'learnt to recall a specification and to reason over it before it answers: supervised fine-tuning on its own judged reasoning',
  'answer-only': 'learnt the same judged answers without their reasoning: a baseline, not the method',
  base: 'reads a policy in its context and reasons over it; it has learnt no policy: where the method begins',
};

const summary = (arm: string, base: string): string =>
  `Made from ${base} by deliberative alignment ([arXiv:2412.16339](https://arxiv.org/abs/2412.16339)) with deliberate. This arm, \`${arm}\`, ${summaries[arm] ?? 'is the model as it was'}.`;

function specification({ specification: categories, arm }: ModelContext): string {
  const learnt = isTrained(arm) ? 'Digest' : 'This arm has learnt none; that of its run has the digest';
  return [
    `${learnt} \`${specificationDigest(categories)}\`. Another text has another digest; so has the same text after any change of it. The text itself is not in this folder, and is not needed to use the model.`,
    '',
    '| category | digest |',
    '| --- | --- |',
    ...Object.entries(categories)
      .filter(([name]) => name !== 'none')
      .map(([name, digest]) => `| ${name} | \`${digest}\` |`),
  ].join('\n');
}

function data({ prompts, records, funnel, digests }: RunContents): string {
  const split = (name: string) => prompts.filter((prompt) => prompt.split === name).length;
  const sources = [...new Set(prompts.map(({ source }) => path.basename(source)))].sort();
  return [
    `Prompts (digest \`${digests.prompts}\`, from ${sources.join(', ') || 'nowhere'}): ${split('train')} for training, ${split('validation')} for validation, ${split('test')} held out. Reasoning and answers were written by the base model and chosen by a judge; none by people. ${records.length} records were learnt from.`,
    ...(funnel === null ? [] : ['', funnel.map(({ title, count }) => `${title} ${count}`).join(' → ')]),
  ].join('\n');
}

function training({ run: { config, digests }, arm, adapter, type }: ModelContext): string {
  const { sft, rl } = config;
  const lines = [
    `- Weights of the base: digest \`${digests.model}\`; of the adapter that makes it a reasoner: \`${digests.adapter}\`.`,
    ...(adapter === null
      ? []
      : [`- LoRA, rank ${adapter.r}, alpha ${adapter.alpha}, on ${adapter.targets.join(', ')}. Written as ${type}.`]),
    ...(isTrained(arm) ? [`- SFT: ${sft.epochs} passes, ${sft.batchSize} records a step, highest learning rate ${sft.learningRate}.`] : []),
    ...(arm === 'sft+rl'
      ? [
          `- RL: ${rl.steps} steps of ${rl.promptsPerStep} groups of ${rl.samplesPerPrompt}, learning rate ${rl.learningRate}, KL weight ${rl.klCoefficient}; the best validated step was kept.`,
        ]
      : []),
    `- Seed ${config.seed}.`,
  ];
  return lines.join('\n');
}

function scores({ scorecard }: RunContents, arm: ArmName): string {
  if (scorecard === null || !scorecard.arms.includes(arm)) return 'This arm has not been evaluated in its run.';
  const against = isTrained(arm) && scorecard.arms.includes('base') ? 'base' : null;
  const cell = (name: string, suite: string) => {
    const result = scorecard.results.find((one) => one.arm === name && one.suite === suite);
    if (result === undefined) return '';
    const unscored = result.unscored === 0 ? '' : `, ${result.unscored} unscored`;
    return `${rate(result.estimate)} (${rate(result.low)}–${rate(result.high)}, n = ${result.requests}${unscored})`;
  };
  return [
    'Rates from 0 to 1, more is better, with 95 % intervals over n requests; graded by rules, on requests that were held out.',
    '',
    `| suite | metric |${against === null ? '' : ` ${against} |`} ${arm} |`,
    `| --- | --- |${against === null ? '' : ' --- |'} --- |`,
    ...scorecard.suites.map(
      ({ name, title, metric }) => `| ${title} | ${metric} |${against === null ? '' : ` ${cell(against, name)} |`} ${cell(arm, name)} |`,
    ),
  ].join('\n');
}

const limits = [
  '- It follows the specification of the digest above, as far as the scores say, and no other; where they say little (wide intervals, few requests) little is known.',
  '- A chain of thought that cites a clause is no proof that the clause was why.',
  '- Jailbreaks that were not tried may work. Put it behind the same safeguards as any other model.',
  '- It has the languages, knowledge and faults of its base, and the terms of the base’s licence hold for it.',
].join('\n');
