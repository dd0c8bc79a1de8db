/** What a run says of its specification and prompts as it begins: faults that stop nothing, but leave something out. */
import type { Config } from '../base/config.js';
import type { Progress } from '../base/progress.js';
import type { Prompt } from '../base/records.js';
import type { StageName } from '../base/run-folder.js';
import type { PreparedPrompts } from '../align/prepare.js';
import { specErrors } from '../align/spec/lint.js';
import { formatFinding } from '../align/spec/parse.js';
import type { Spec } from '../align/spec/types.js';
import { suites, type SuiteSizes } from '../evals/suites.js';
import { overlapAcrossSplits } from '../prompts/split.js';
import { suiteSizesOf } from './evaluate-arms.js';

/** What `spec lint` calls errors teaches badly, but a run that was asked for goes on. */
export function saySpecErrors(spec: Spec, progress: Progress): void {
  const errors = specErrors(spec);
  if (errors.length === 0) return;
  const shown = errors.slice(0, 5).map((error) => `\n  ${formatFinding(error)}`);
  const rest = errors.length > shown.length ? `\n  and ${errors.length - shown.length} more` : '';
  const count = errors.length === 1 ? 'an error' : `${errors.length} errors`;
  progress.say(
    `Warning: the specification has ${count}, as \`deliberate spec lint\` finds; the run goes on all the same.${shown.join('')}${rest}`,
  );
}

export interface GivenPrompts {
  given: readonly Prompt[];
  prepared: PreparedPrompts;
  config: Config;
  spec: Spec;
  stages: ReadonlySet<StageName>;
}

/** One sentence for each thing that these prompts cannot do. */
export const promptNotes = (about: GivenPrompts): string[] => [...splitNotes(about), ...ordinaryNotes(about), ...suiteNotes(about)];

function splitNotes({ given }: GivenPrompts): string[] {
  const split = given.filter((prompt) => prompt.split !== undefined);
  // Where none has a split, they are drawn for all, near-duplicates together.
  if (split.length === 0) return [];
  const without = given.length - split.length;
  const [pair, ...more] = overlapAcrossSplits(split);
  return [
    ...(without === 0
      ? []
      : [
          `prompts: ${without} of ${given.length} have no split while the others have one, so they are left out. \`deliberate prompts split\` draws splits for all.`,
        ]),
    ...(pair === undefined
      ? []
      : [
          `prompts: ${more.length + 1} ${more.length === 0 ? 'pair' : 'pairs'} of near-duplicates in different splits, for example ${pair.a} and ${pair.b}, so that tests may ask what was trained on. \`deliberate prompts split\` keeps them together.`,
        ]),
  ];
}

const ordinaryNotes = ({ prepared, config, stages }: GivenPrompts): string[] =>
  prepared.ordinary.length > 0 || config.prompts.ordinary === 0 || !stages.has('generate')
    ? []
    : [
        'prompts: none of the training split has the tag "ordinary", so SFT gets no capability data and RL no helpfulness prompts: the model may forget how to help. Add everyday requests that no policy speaks of; `deliberate prompts import` tags those of category none with the ideal comply, and data/prompts.jsonl of the package has such lines.',
      ];

function suiteNotes({ prepared: { test }, config, spec, stages }: GivenPrompts): string[] {
  if (!stages.has('eval')) return [];
  const asked = suiteSizesOf(config.eval);
  // One request shows that there is something to ask. What has no category yet may come to be of any.
  const sizes = Object.fromEntries(Object.entries(asked).map(([name, size]) => [name, Math.min(1, size)])) as SuiteSizes;
  const prompts = test.flatMap((prompt) =>
    prompt.category === undefined
      ? ['none', ...spec.categories.map(({ name }) => name)].map((category) => ({ ...prompt, category }))
      : [prompt],
  );
  const empty = suites.filter((suite) => sizes[suite.name] > 0 && suite.select({ prompts, spec, seed: config.seed, sizes }).length === 0);
  if (empty.length === 0) return [];
  return [
    `eval: no test prompt fits ${empty.map(({ name }) => name).join(', ')}, so ${empty.length === 1 ? 'this suite stays' : 'these suites stay'} empty. Suites choose by category, ideal kind and tags (benign-twin, transformation, ordinary).`,
  ];
}
