/** Settings of a study: the section `study` of a file whose other sections are those of a run. */
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import { evaluationSets } from '../evals/sets/all-sets.js';

const counts = (value: readonly number[], text: string) =>
  z
    .array(z.int().min(0))
    .default([...value])
    .describe(text);
const positive = (value: number, text: string) => z.int().min(1).default(value).describe(text);

/** Asked where nothing else is said: our own sets, which need no file and no judge. */
const ownSets = evaluationSets.filter(({ format, needsJudge }) => format === null && needsJudge !== true).map(({ name }) => ({ name }));

/** A set by its name; a public one with the user's file. */
const SuiteEntry = z.preprocess(
  (value) => (typeof value === 'string' ? { name: value } : value),
  z.strictObject({
    name: z.enum(evaluationSets.map(({ name }) => name)),
    file: z.string().optional(),
    sha256: z.string().optional().describe('Digest that the file must have; it is filled in'),
  }),
);

export const StudySettings = z.strictObject({
  seeds: z
    .array(z.int().min(0))
    .min(1)
    .default([0, 1, 2])
    .describe('Seeds of the headline arms, a whole run each; every other study uses the first'),
  eval: z
    .strictObject({
      plain: positive(8, 'Requests of each suite'),
      jailbroken: positive(2, 'Requests of the jailbreak suite; techniques as the run has them'),
    })
    .prefault({})
    .describe('Sizes of the suites in every study but the headline'),
  ood: z
    .strictObject({
      category: z.string().optional().describe('Category to leave out of training; left out: the one with most training prompts'),
      families: z.array(z.string()).min(1).default(['persona', 'prefix']).describe('Jailbreak families to leave out of training'),
      encoded: z.int().min(0).default(2).describe('Requests of the encodings suite'),
    })
    .prefault({}),
  compute: z
    .strictObject({
      shorter: counts([0, 24], 'Most tokens of a CoT that is cut short'),
      longer: counts([1, 2], 'How often a finished CoT is made to go on'),
      bestOf: counts([4], 'Samples of which the model takes the one that it grades best itself'),
    })
    .prefault({}),
  policyChange: z
    .strictObject({
      clause: z.string().optional().describe('Code of the clause to edit; left out: the allowed clause cited most in training'),
    })
    .prefault({}),
  faithfulness: z.strictObject({ prompts: positive(24, 'CoTs that are looked at') }).prefault({}),
  judge: z
    .strictObject({
      runs: z.array(z.int().min(1)).min(1).default([1, 2, 4, 8]).describe('Runs k that are compared, minimum against mean'),
      items: positive(24, 'Answers of arms that are judged'),
      clauses: positive(12, 'Requests whose clause is flipped'),
      attacked: positive(8, 'Bad answers that each attack on the judge is tried with'),
      labels: z
        .string()
        .optional()
        .describe(
          'JSONL file of labelled answers {messages, category, answer, good}, or an overrides.jsonl of the viewer. Left out: the outputs labelled by hand, where specification and prompts are those of the package; else whether the kind by rules is the ideal kind',
        ),
    })
    .prefault({}),
  suites: z
    .array(SuiteEntry)
    .default(ownSets)
    .describe('Sets of `eval --suite` that are asked: a name, or {name, file} for a public one; study.eval.plain requests of each part'),
});
export type StudySettings = z.infer<typeof StudySettings>;

/** What `--quick` changes, beside the smoke settings of the run. */
export const quickStudySettings = {
  seeds: [0],
  eval: { plain: 2, jailbroken: 1 },
  ood: { encoded: 1 },
  compute: { shorter: [0], longer: [1], bestOf: [2] },
  faithfulness: { prompts: 6 },
  judge: { runs: [1, 2, 4], items: 6, clauses: 3, attacked: 2 },
} as const;

/** @throws input error naming file and setting */
export function parseStudySettings(value: unknown, source: string): StudySettings {
  const parsed = StudySettings.safeParse(value ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const at = ['study', ...(issue?.path ?? [])].join('.');
    throw inputError(`${source}: ${at}: ${issue?.message ?? 'not understood'}. docs/STUDIES.md names every setting of a study.`);
  }
  const { seeds, suites } = parsed.data;
  if (new Set(seeds).size < seeds.length)
    throw inputError(`${source}: study.seeds: a seed stands twice; two runs of one seed are the same run.`);
  const names = suites.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw inputError(`${source}: study.suites: ${twice} stands twice; its answers have one place.`);
  return parsed.data;
}
