/**
 * Generalisation out of distribution (paper, section 4, generalisation: training on English and unencoded data alone, tested on
 * encodings and other languages). Here: training without one category, without some jailbreak families, and without any jailbreak
 * (English and plain only), each tested on what it has not seen, beside the base, the answer-only baseline and the full training.
 */
import { inputError } from '../base/errors.js';
import { Random } from '../base/random.js';
import type { Prompt } from '../base/records.js';
import { choosePrompts } from '../align/prepare.js';
import { findCategory } from '../align/spec/lookup.js';
import { categoryOf } from '../align/stage.js';
import type { Suite } from '../evals/suites.js';
import { trainingFamilies, techniques, wrapPrompt } from '../prompts/jailbreaks/wrap.js';
import { differenceCell, seedsCell } from './cells.js';
import { evaluateModel, suitesNamed, type Rows } from './evaluate-model.js';
import { firstRun, variantPaths } from './first-run.js';
import { holm, pairedStrata, signTest, type Unit } from './intervals.js';
import { measureNamed } from './measures.js';
import type { Cell, Findings, FirstRun, Lab, OpenedArm, Study } from './study.js';
import { answerOnlyVariant, sftVariant, type SftVariant } from './variant.js';

/** A set of test prompts that a training has not seen the like of. */
interface TestSet {
  title: string;
  strata(rows: Rows): Unit[][];
}

interface Condition {
  label: string;
  arm: OpenedArm;
  known?: string;
}

export const ood: Study = {
  name: 'ood',
  title: 'Out of distribution',
  source: 'paper, section 4: generalisation out of distribution',
  version: 3,
  async run(lab: Lab): Promise<Findings> {
    const first = await firstRun(lab);
    const { families, encoded } = lab.settings.ood;
    const category = lab.settings.ood.category ?? largestCategory(first.prepared.train);
    findCategory(lab.spec, category);
    refuseUnknownFamilies(families);
    const conditions = await openConditions(lab, first, category);
    const ofCategory = first.prepared.test.filter((prompt) => categoryOf(prompt) === category);
    const rows: Record<'category' | 'families' | 'plain', Map<string, Rows>> = {
      category: new Map(),
      families: new Map(),
      plain: new Map(),
    };
    for (const { label, arm, known } of conditions) {
      const ask = (set: string, suites: readonly Suite[], more: { prompts?: readonly Prompt[]; sizes?: { encodings: number } } = {}) =>
        evaluateModel({ lab, first, study: 'ood', label: `${label}, ${set}`, arm, suites, ...more, ...(known !== undefined && { known }) });
      rows.category.set(label, await ask('category', categorySuites, { prompts: ofCategory }));
      rows.families.set(label, await ask('families', familySuites(families, first.config.seed)));
      rows.plain.set(label, await ask('unseen', unseenSuites, { sizes: { encodings: encoded } }));
    }
    const sets: readonly (readonly [TestSet, ReadonlyMap<string, Rows>])[] = [
      [{ title: `Category ${category}: refused and answered as it should be`, strata: categoryStrata }, rows.category],
      [{ title: `Families ${families.join(', ')}`, strata: measureNamed('ood-families').strata }, rows.families],
      [{ title: 'Families that nobody trains on', strata: measureNamed('ood-families').strata }, rows.plain],
      [{ title: 'Encodings (safe in the worst one)', strata: (found) => [unitsByRequest(found)] }, rows.plain],
    ];
    const figures: Record<string, Cell> = {};
    const accuracy = new Map<string, Unit[][]>();
    const labels = conditions.map(({ label }) => label);
    const table = sets.map(([set, found]) => ({
      label: set.title,
      cells: labels.map((label) => {
        const strata = set.strata(found.get(label)!);
        return strata.every((units) => units.length === 0) ? null : seedsCell([strata], `ood ${set.title}`);
      }),
    }));
    // The figure: balanced over forbidden and benign, unseen families and an unseen category counting the same.
    for (const label of labels) {
      const both = [...categoryStrata(rows.category.get(label)!), ...measureNamed('ood-families').strata(rows.plain.get(label)!)];
      accuracy.set(label, both);
      figures[`accuracy ${label}`] = seedsCell([both], 'ood accuracy');
    }
    const unseen = `without ${category}`;
    const pairs = ['base', `answer-only ${unseen}`].map((against) => {
      const paired = [pairedStrata(accuracy.get(against)!, accuracy.get(unseen)!)];
      return { against, cell: differenceCell(paired, `ood accuracy ${against}`), p: signTest(paired) };
    });
    const corrected = holm(pairs.map(({ p }) => p));
    return {
      tables: [
        {
          title: 'Accuracy, balanced over forbidden and benign',
          note: `A training "without …" has not seen what the row of that name tests. The category left out is ${category}.`,
          columns: labels,
          rows: [
            { label: 'Unseen families and the category, together', cells: labels.map((label) => figures[`accuracy ${label}`]!) },
            ...table,
          ],
        },
        {
          title: `SFT ${unseen}, which has seen neither, on the same requests`,
          columns: pairs.map(({ against }) => `− ${against}`),
          rows: [
            {
              label: 'Unseen families and the category, together',
              cells: pairs.map(({ cell }, i) => (cell.estimate === null ? cell : { ...cell, p: corrected[i]! })),
            },
          ],
        },
      ],
      charts: [],
      figures,
      notes: [
        'One seed; SFT alone, for RL starts from it. Encodings stand beside the accuracy: a model of this size can hardly read them.',
        'Wrapped copies of records (filter.wrappedCopies) use no family that a training leaves out; plain only has none.',
        'Other languages are asked by the study suites (its set multilingual).',
      ],
    };
  },
};

function largestCategory(prompts: readonly Prompt[]): string {
  const counts = new Map<string, number>();
  for (const prompt of prompts) counts.set(categoryOf(prompt), (counts.get(categoryOf(prompt)) ?? 0) + 1);
  counts.delete('none');
  const [largest] = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  if (largest === undefined) throw inputError('study.ood.category: the training prompts have no category; name one to leave out.');
  return largest[0];
}

function refuseUnknownFamilies(families: readonly string[]): void {
  const known = [...new Set(trainingFamilies.map(({ family }) => family))];
  const unknown = families.find((family) => !known.includes(family));
  if (unknown !== undefined)
    throw inputError(`study.ood.families: ${unknown} is no family of training jailbreaks; there are ${known.join(', ')}.`);
}

async function openConditions(lab: Lab, first: FirstRun, category: string): Promise<Condition[]> {
  const { prepared, config, context, paths } = first;
  const families = new Set(lab.settings.ood.families);
  // The same requests, none of them wrapped: what a wrapped one is replaced by.
  const plain = choosePrompts(lab.prompts, { ...config.prompts, wrappedShare: 0 }, config.seed);
  const familyOf = (prompt: Prompt) => techniques.get(prompt.technique)?.family ?? 'none';
  const unwrapped = (list: readonly Prompt[], bare: readonly Prompt[]) =>
    list.map((prompt, i) => (families.has(familyOf(prompt)) ? bare[i]! : prompt));
  const variants: readonly (readonly [label: string, variant: SftVariant])[] = [
    [
      `without ${category}`,
      {
        paths: variantPaths(lab, 'ood', 'without-category'),
        prepared: { ...prepared, train: prepared.train.filter((prompt) => categoryOf(prompt) !== category) },
      },
    ],
    [
      `without ${lab.settings.ood.families.join(', ')}`,
      {
        paths: variantPaths(lab, 'ood', 'without-families'),
        prepared: { ...prepared, train: unwrapped(prepared.train, plain.train), ordinary: unwrapped(prepared.ordinary, plain.ordinary) },
        wrappers: trainingFamilies.filter(({ family }) => !families.has(family)),
      },
    ],
    [
      'English and plain only',
      {
        paths: variantPaths(lab, 'ood', 'plain-only'),
        prepared: { ...prepared, train: plain.train, ordinary: plain.ordinary },
        wrappers: [],
      },
    ],
  ];
  const conditions: Condition[] = [];
  for (const [label, arm] of [
    ['base', 'base'],
    ['answer-only SFT', 'answer-only'],
    ['SFT on everything', 'sft'],
  ] as const)
    conditions.push({ label, arm: await lab.pipeline.openArm(context, arm), known: paths.answers(arm) });
  for (const [label, variant] of variants) {
    const trained = await sftVariant(first, variant);
    conditions.push({ label, arm: trained.arm });
    // The baseline that the target names must not have seen the category either.
    if (variant === variants[0]![1])
      conditions.push({ label: `answer-only ${label}`, arm: await answerOnlyVariant(first, variant, trained) });
  }
  return conditions;
}

const categorySuites = suitesNamed('forbidden-plain', 'benign-twins', 'transformation-exception');
const unseenSuites = suitesNamed('forbidden-jailbreaks', 'benign-twins-wrapped', 'encodings');

/** Forbidden and benign requests of the category. */
function categoryStrata(rows: Rows): Unit[][] {
  const units = (names: readonly ('forbidden-plain' | 'benign-twins' | 'transformation-exception')[]): Unit[] =>
    names.flatMap((name) =>
      (rows.get(name) ?? []).flatMap(({ promptId, request, score }) =>
        score === null ? [] : [{ id: promptId, cluster: request, value: score }],
      ),
    );
  return [units(['forbidden-plain']), units(['benign-twins', 'transformation-exception'])];
}

/** Wrong if any variant is not refused (paper: encodings). */
function unitsByRequest(rows: Rows): Unit[] {
  const lowest = new Map<string, number>();
  for (const { request, score } of rows.get('encodings') ?? [])
    if (score !== null) lowest.set(request, Math.min(score, lowest.get(request) ?? 1));
  return [...lowest].map(([request, value]) => ({ id: request, cluster: request, value }));
}

/** The suites of wrapped prompts, wrapped in the given training families in place of the held-out ones. */
function familySuites(families: readonly string[], seed: number): Suite[] {
  const chosen = trainingFamilies.filter(({ family }) => families.includes(family));
  const wrapped = (prompt: Prompt, i: number) => {
    const technique = chosen[i % chosen.length]!;
    return wrapPrompt(prompt, technique, new Random(`wrap ${seed} ${technique.name} ${prompt.request}`));
  };
  const [forbidden, plain, twins, wrappedTwins] = suitesNamed(
    'forbidden-jailbreaks',
    'forbidden-plain',
    'benign-twins',
    'benign-twins-wrapped',
  );
  return [
    { ...forbidden!, select: (context) => plain!.select(context).flatMap((prompt) => chosen.map((_, i) => wrapped(prompt, i))) },
    { ...wrappedTwins!, select: (context) => twins!.select(context).map(wrapped) },
  ];
}
