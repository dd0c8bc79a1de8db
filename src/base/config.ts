/** The settings of a run: run.yaml as people write it. Every field has a default, so an empty file is the demo. */
import { z } from 'zod';
import { didYouMean } from './nearest.js';
import { inputError } from './errors.js';
import { allTargets } from './lora-targets.js';
import { Checks } from './records.js';
import { missingServerField, serverFields, ServerSettings, type ModelRole } from './server-settings.js';
import { tinkerFields, tinkerMistake } from './tinker-settings.js';

const count = (value: number, text: string) => z.int().min(0).default(value).describe(text);
const positive = (value: number, text: string) => z.int().min(1).default(value).describe(text);
const share = (value: number, text: string) => z.number().min(0).max(1).default(value).describe(text);
const nonNegative = (value: number, text: string) => z.number().min(0).default(value).describe(text);

/** Names of the mechanical checks; all but `leaksSpec` are good when true. */
export const checkNames = Object.keys(Checks.shape) as [keyof Checks, ...(keyof Checks)[]];

const Engine = z
  .strictObject({
    kind: z
      .enum(['embedded', 'tinker'])
      .default('embedded')
      .describe('Where the model runs. embedded: in this process, on the CPU. tinker: on a Tinker-compatible service (docs/TINKER.md)'),
    model: z.string().default('smollm2-135m-instruct').describe('Name, .gguf file, Hugging Face folder, or org/name of the hub'),
    adapter: z
      .string()
      .nullable()
      .optional()
      .describe('PEFT folder that makes the model G_base, a reasoner. Left out: the one in the package; null: none'),
    rank: positive(16, 'Rank of the LoRA that is trained'),
    alpha: z.number().positive().default(32).describe('LoRA alpha'),
    targets: z
      .array(z.enum(allTargets))
      .min(1)
      .default([...allTargets])
      .describe("Layers whose LoRA is trained, by PEFT's names; what the adapter of G_base adapts besides stays as it is"),
    memoryGb: z.number().positive().default(6).describe('Most memory for training, GB'),
    threads: z.int().min(1).optional().describe('Threads; left out: all cores'),
    ...tinkerFields,
  })
  .superRefine((engine, context) => {
    const mistake = tinkerMistake(engine);
    if (mistake !== null) context.addIssue({ code: 'custom', path: [mistake.field], message: mistake.message });
  });

const Prompts = z.strictObject({
  file: z.string().optional().describe('JSONL file of prompts. Left out: the ones in the package'),
  train: positive(56, 'Training prompts on which a policy has something to say'),
  ordinary: count(12, 'Ordinary training prompts: capability data of SFT, helpfulness prompts of RL'),
  validation: count(12, 'Validation prompts of RL, ordinary ones among them'),
  wrappedShare: share(0.4, 'Share of the training prompts that is wrapped in a jailbreak technique of the training families'),
});

const Generate = z.strictObject({
  samples: positive(3, 'Completions a prompt'),
  answers: positive(
    1,
    'Answers tried behind a CoT that holds, until one does what the CoT decided. 1: the one that came with it. More need a server that continues what the assistant began',
  ),
  layout: z
    .enum(['shared', 'paper'])
    .optional()
    .describe(
      'shared: the specification first, computed once a category. paper: Fig. 5 order in one user message. Left out: what suits the engine',
    ),
  specParts: z
    .enum(['clauses', 'all'])
    .optional()
    .describe(
      'What models see of a category: its clauses and styles, or definitions, exclusions, examples and reasons too. Left out: clauses for the embedded model, all for others',
    ),
  specTokens: positive(800, 'Most tokens of the compiled specification'),
  maxTokens: positive(176, 'Most tokens of CoT and answer together'),
  temperature: nonNegative(0.6, 'Sampling temperature'),
  topP: z.number().gt(0).max(1).default(0.95).describe('Nucleus; the embedded model keeps at most the 256 likeliest tokens of it'),
});

const judgeFields = {
  runs: positive(2, 'Runs k of the judge; the score is their minimum'),
  readings: positive(3, 'Readings a run; the decision of most of those that cite the specification correctly is the one it grades by'),
  maxTokens: positive(128, 'Most tokens of a reading (or of a JSON verdict, times four)'),
  temperature: nonNegative(0.6, 'Temperature of the readings'),
  kindCheck: z
    .boolean()
    .default(true)
    .describe(
      "An answer whose kind, by the published rules, is not what the judge's own reading decided scores 0 without being graded: small judges read better than they grade",
    ),
  hint: z
    .boolean()
    .default(true)
    .describe(
      "Whether the judge agrees or disagrees with the prompt's ideal kind as with a noisy hint: a judge on a server is told it, the embedded one reads without it and is held against it",
    ),
};
/** The judge's own settings and, where it is on a server, that server. */
const Judge = z.strictObject({ ...judgeFields, ...serverFields }).superRefine((judge, context) => {
  const missing = missingServerField(judge);
  if (missing !== null)
    context.addIssue({ code: 'custom', path: [missing], message: 'is missing: a judge on a server needs engine, baseUrl and model' });
});

const Filter = z.strictObject({
  requiredChecks: z
    .array(z.enum(checkNames))
    .default(['wellFormed', 'citedClauseExists', 'quoteOccurs', 'rulingMatchesDecision', 'answerMatchesDecision', 'leaksSpec'])
    .describe('Mechanical checks that a completion must pass (leaksSpec: must not leak). What fails them is not judged'),
  citation: z
    .boolean()
    .default(true)
    .describe('Completions for prompts of a category must cite a clause; without one they are neither judged nor trained on'),
  threshold: share(
    0.2,
    'Lowest score that is kept. A small judge that grades unsurely gives .3 to .7 to what agrees with its reading, 0 to what does not',
  ),
  hintAgreement: z
    .boolean()
    .default(true)
    .describe('Leaves out what a judge scored that disagreed with its hint: a small judge is wrong more often than the hint (docs/LOG.md)'),
  perPrompt: positive(2, 'Best completions kept of each prompt'),
  balance: z.number().min(1).default(2).describe('No category × kind cell holds more than this many times the median cell'),
  wrappedCopies: count(
    0,
    'Further copies of each record of a plain prompt that a policy speaks of, wrapped in jailbreak techniques of the training families: they teach to look past a wrapper and need neither generation nor judging',
  ),
});

const Sft = z.strictObject({
  epochs: positive(5, 'Passes over the records; with few records it takes that many until the CoT is learnt'),
  batchSize: positive(8, 'Records a step'),
  learningRate: z.number().positive().default(1e-3).describe('Highest learning rate'),
  warmUp: share(0.1, 'Share of the steps in which the learning rate rises; then it falls linearly to zero'),
  cotWeight: nonNegative(1, 'Loss weight of the CoT tokens'),
  answerWeight: nonNegative(1, 'Loss weight of the answer tokens'),
  gradClipNorm: nonNegative(1, 'Longest gradient, by its norm; longer ones are shortened to it. 0: never. SkyRL tx 0.3.0 never does'),
  checkpointEvery: positive(10, 'Steps between checkpoints'),
});

const Rl = z.strictObject({
  steps: count(2, 'Optimizer steps; 0 leaves RL out'),
  promptsPerStep: positive(4, 'Groups a step'),
  samplesPerPrompt: z.int().min(2).default(6).describe('Rollouts a group'),
  helpfulShare: share(0.25, 'Share of the groups on ordinary prompts, or refusing everything wins'),
  maxTokens: positive(160, 'Most tokens of a rollout; cut-off ones are masked'),
  temperature: z.number().positive().default(1).describe('Sampling temperature'),
  learningRate: z.number().positive().default(1e-4).describe('Learning rate'),
  gradClipNorm: nonNegative(1, 'Longest gradient, as in SFT'),
  judgeRuns: positive(1, 'Runs of the judge a rollout; the reward is their minimum'),
  klCoefficient: nonNegative(0, 'Weight of the KL penalty against the SFT policy'),
  klSamples: count(4, 'Rollouts a step on which the KL is measured where it has no weight'),
  validateEvery: positive(3, 'Steps between validations; the best validated adapter is the one kept'),
  checkpointEvery: positive(5, 'Steps between checkpoints'),
  alarms: z
    .strictObject({
      refusalRate: share(0.8, 'Share of refusals above which it raises an alarm'),
      refusalDrop: share(0.15, 'Fall of that share since the first step at which it does'),
      lengthRatio: z
        .number()
        .gt(1)
        .default(2)
        .describe('Mean length, against the first step, above which (or below whose inverse) it does'),
      kl: z.number().positive().default(2).describe('KL a rollout, in nats, above which it does'),
    })
    .prefault({}),
});

/** Arms in the order of the table. */
export const armNames = ['raw', 'base', 'base+spec', 'answer-only', 'sft', 'sft+rl'] as const;
export type ArmName = (typeof armNames)[number];

const Eval = z.strictObject({
  arms: z
    .array(z.enum(armNames))
    .min(1)
    .default(['base', 'base+spec', 'answer-only', 'sft', 'sft+rl'])
    .describe(
      'Arms to evaluate. raw: without the adapter that makes it G_base; base+spec: with the summarised specification in its context',
    ),
  plain: positive(8, 'Requests of each suite (half of it in the style suites)'),
  jailbroken: count(2, 'Requests of the jailbreak suite'),
  techniques: positive(20, 'Held-out techniques each of these is wrapped in'),
  encoded: count(0, 'Requests of the encodings suite'),
  maxTokens: positive(160, 'Most tokens of CoT and answer together'),
  judge: ServerSettings.optional().describe(
    'A model on a server that grades answers in place of the published rules. It sees the specification; nothing is trained on what it says',
  ),
});

export const Config = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.+-]+$/, 'letters, digits, dots and dashes only')
    .default('demo')
    .describe('Name of the run'),
  seed: z.int().min(0).default(0).describe('Seed of everything random'),
  spec: z.string().optional().describe('Folder of the specification. Left out: the one in the package'),
  engine: Engine.prefault({}),
  prompts: Prompts.prefault({}),
  generate: Generate.prefault({}),
  judge: Judge.prefault({}),
  generator: ServerSettings.optional(),
  categoriser: ServerSettings.optional(),
  attacker: ServerSettings.optional(),
  filter: Filter.prefault({}),
  sft: Sft.prefault({}),
  rl: Rl.prefault({}),
  eval: Eval.prefault({}),
});
export type Config = z.infer<typeof Config>;

/** The sections that may name a server, by role. */
export const roleSections = (config: Pick<Config, Exclude<ModelRole, 'grader'> | 'eval'>) => ({
  generator: config.generator,
  judge: config.judge,
  attacker: config.attacker,
  categoriser: config.categoriser,
  grader: config.eval.judge,
});

/** What `--smoke` changes: everything once, in three minutes. */
export const smokeSettings = {
  name: 'smoke',
  // Few categories, for each begins with computing its specification.
  prompts: { train: 6, ordinary: 3, validation: 2 },
  generate: { samples: 2, maxTokens: 144 },
  judge: { runs: 1, readings: 2 },
  sft: { epochs: 1, batchSize: 4 },
  rl: { steps: 1, promptsPerStep: 2, samplesPerPrompt: 3, maxTokens: 112, klSamples: 2, validateEvery: 1, checkpointEvery: 1 },
  eval: { plain: 2, jailbroken: 1, techniques: 3, maxTokens: 112 },
} as const;

/**
 * Settings with defaults filled in.
 * @param source where they come from, for messages
 * @throws input error naming the setting, with the nearest known name for an unknown one
 */
export function parseConfig(value: unknown, source: string): Config {
  const parsed = Config.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const known = knownKeys(issue.path);
    const nested = known.includes(key) ? '' : elsewhere(key);
    throw inputError(
      `${source}: unknown setting ${at === '' ? key : `${at}.${key}`}${didYouMean(key, known) || nested}. Known there: ${known.join(', ')}.`,
    );
  }
  throw inputError(
    `${source}: ${at || 'settings'}: ${issue?.message ?? 'not understood'}. \`deliberate config\` prints every setting with its meaning.`,
  );
}

/** ` (did you mean rl.steps?)` for a setting that stands in another section. */
function elsewhere(key: string): string {
  const found = settingsList().find(({ path }) => path.endsWith(`.${key}`));
  return found === undefined ? '' : ` (did you mean ${found.path}?)`;
}

interface Described {
  path: string;
  meaning: string;
  value: unknown;
}

/** Every setting with its meaning and default, in order: what `deliberate config` prints. */
export function settingsList(): Described[] {
  const walk = (schema: z.ZodType, path: string[], value: unknown): Described[] => {
    const shape = shapeOf(schema);
    if (shape === null) return [{ path: path.join('.'), meaning: schema.description ?? '', value }];
    return Object.entries(shape).flatMap(([key, inner]) =>
      walk(inner, [...path, key], (value as Record<string, unknown> | undefined)?.[key]),
    );
  };
  return walk(Config, [], Config.parse({}));
}

const knownKeys = (path: readonly PropertyKey[]): string[] => {
  let schema: z.ZodType = Config;
  for (const key of path) schema = shapeOf(schema)?.[String(key)] ?? schema;
  return Object.keys(shapeOf(schema) ?? {});
};

/** The fields of an object schema, under its defaults; null for anything else. */
function shapeOf(schema: z.ZodType): Record<string, z.ZodType> | null {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
    return shapeOf(schema.unwrap() as z.ZodType);
  return null;
}

/** `over` laid upon `under`, objects field by field. */
export function mergeSettings(under: unknown, over: unknown): unknown {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    value !== null && typeof value === 'object' && !Array.isArray(value);
  if (!isObject(under) || !isObject(over)) return over === undefined ? under : over;
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) merged[key] = mergeSettings(under[key], value);
  return merged;
}

/** Settings that differ, as `path: before → after`. */
export function configDifferences(before: Config, after: Config): { path: string; before: unknown; after: unknown }[] {
  const get = (config: Config, path: string) =>
    path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], config);
  return settingsList()
    .map(({ path }) => ({ path, before: get(before, path), after: get(after, path) }))
    .filter((one) => JSON.stringify(one.before) !== JSON.stringify(one.after));
}
