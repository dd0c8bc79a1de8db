/**
 * A change of policy (the paper's models went stale when the policy changed; ours is a diff away): one clause is turned around in
 * a copy of the first run, and the same run is given again. Shown: which data were made anew, whether behaviour follows the new
 * clause, whether the rest stands still, and what it cost against starting over.
 */
import { cp, rename, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '../base/errors.js';
import { readJsonl } from '../base/jsonl.js';
import { inParallel } from '../base/parallel.js';
import { Completion, contentId, Judgement, type Prompt } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { answerMatches } from '../align/check.js';
import { specsOf } from '../align/compiled-specs.js';
import { completionIds } from '../align/generate.js';
import { findClause } from '../align/spec/lookup.js';
import type { Clause, Spec } from '../align/spec/types.js';
import { categoryOf } from '../align/stage.js';
import { splitCot } from '../lm/split-cot.js';
import { cachedModel } from './cached-model.js';
import { countCell, rateCell } from './cells.js';
import { differencesOf } from './differences.js';
import { categoryOfClause, mostCited, turnClause, turned } from './edit-clause.js';
import { rowsOfRun, type Rows } from './evaluate-model.js';
import { askedPrompts, firstRun, mainArm } from './first-run.js';
import { governingClauses } from './governing-clause.js';
import { measureLabel, measures } from './measures.js';
import type { Cell, Findings, FirstRun, Lab, Study, Table } from './study.js';

export const policyChange: Study = {
  name: 'policy-change',
  title: 'A change of policy',
  source: 'ours: what a new policy costs',
  version: 3,
  async run(lab: Lab): Promise<Findings> {
    const first = await firstRun(lab);
    const clause = await clauseToEdit(lab, first);
    const category = categoryOfClause(lab.spec, clause.code)!;
    const edited = turnClause(lab.spec, clause.code);
    const after = new RunPaths(path.join(lab.root, 'policy-change', 'run'));
    await copyRun(first.paths.root, after.root);
    const { bench, progress, codeVersion, prompts, signal } = lab;
    await lab.pipeline.run({
      root: after.root,
      config: first.config,
      spec: edited,
      prompts,
      bench,
      progress,
      codeVersion,
      ...(signal && { signal }),
    });
    const second: FirstRun = {
      ...first,
      paths: after,
      context: { ...first.context, paths: after, specs: specsOf(edited, first.config, bench) },
    };
    const name = mainArm(first);
    const figures: Record<string, Cell> = {};
    const tables = [
      await costs(first, second, category, figures),
      await following(lab, first, second, clause, category, figures),
      standing(await rowsOfRun(first.paths, name), await rowsOfRun(after, name), category, figures),
    ];
    return {
      tables,
      charts: [],
      figures,
      notes: [
        `Clause ${clause.code} of ${category} ("${clause.subject}") was ${clause.ruling} and became ${turned(clause.ruling)}; its subject stays.`,
        'Training is done again from the base: an adapter cannot be edited by clause. What is saved is generation and judging.',
      ],
    };
  },
};

async function clauseToEdit({ settings, spec }: Lab, { paths }: FirstRun): Promise<Clause> {
  const code = settings.policyChange.clause ?? mostCited(spec, await readJsonl(paths.completions(), Completion), 'comply');
  const clause = code === null ? undefined : findClause(spec, code);
  if (clause === undefined)
    throw inputError(
      code === null
        ? 'study.policyChange.clause: no completion of the first run cites an allowed clause; name the clause to edit.'
        : `study.policyChange.clause: there is no clause ${code} in the specification.`,
    );
  return clause;
}

/** A copy that appears whole or not at all. */
async function copyRun(from: string, to: string): Promise<void> {
  if (existsSync(to)) return;
  const half = `${to}.new`;
  await rm(half, { recursive: true, force: true });
  await cp(from, half, { recursive: true, filter: (file) => !/(?:^|[\\/])(?:\.lock|\.writer\.json[^\\/]*)$/.test(file) });
  await rename(half, to);
}

/** Completions and judgements that the second run needs, and how many of them it had to make. */
async function costs(first: FirstRun, second: FirstRun, category: string, figures: Record<string, Cell>): Promise<Table> {
  const asked = askedPrompts(first.prepared.train, first.prepared.ordinary);
  const needed = asked.flatMap((prompt) => completionIds(second.context, prompt).map((id) => ({ id, category: categoryOf(prompt) })));
  const had = new Set((await readJsonl(first.paths.completions(), Completion)).map(({ id }) => id));
  const sampled = new Map(
    (await readJsonl(second.paths.completions(), Completion)).map(({ id, cot, answer }) => [id, (cot?.length ?? 0) + answer.length]),
  );
  const lengthOf = (list: readonly { id: string }[]) => list.reduce((sum, { id }) => sum + (sampled.get(id) ?? 0), 0);
  const fresh = needed.filter(({ id }) => !had.has(id));
  const elsewhere = fresh.filter((one) => one.category !== category).length;
  const needs = new Set(needed.map(({ id }) => id));
  const judgedBefore = new Set((await readJsonl(first.paths.judgements(), Judgement)).map(({ id }) => id));
  const judged = (await readJsonl(second.paths.judgements(), Judgement)).filter(({ completionId }) => needs.has(completionId));
  figures['completions made again'] = countCell(fresh.length, needed.length);
  figures['completions of other categories made again'] = countCell(elsewhere);
  const rejudged = judged.filter(({ id }) => !judgedBefore.has(id)).length;
  return {
    title: 'What was made again, against starting over',
    columns: ['made again', 'starting over'],
    rows: [
      { label: 'Completions', cells: [figures['completions made again'], countCell(needed.length)] },
      {
        label: `Completions of other categories than ${category}`,
        cells: [countCell(elsewhere), countCell(needed.filter((one) => one.category !== category).length)],
      },
      { label: 'Characters sampled for them', cells: [countCell(lengthOf(fresh), lengthOf(needed)), countCell(lengthOf(needed))] },
      { label: 'Judgements', cells: [countCell(rejudged, judged.length), countCell(judged.length)] },
      { label: 'Trainings', cells: [countCell(first.config.rl.steps > 0 ? 3 : 2), countCell(first.config.rl.steps > 0 ? 3 : 2)] },
    ],
  };
}

/** Requests under the clause: its examples, and test prompts for which the base cites it. Asked of the arm before and after. */
async function following(
  lab: Lab,
  first: FirstRun,
  second: FirstRun,
  clause: Clause,
  category: string,
  figures: Record<string, Cell>,
): Promise<Table> {
  const name = mainArm(first);
  const probes = await requestsUnder(lab, first, clause, category);
  const before = await shares(lab, first, probes, clause, lab.spec);
  const after = await shares(lab, second, probes, clause, second.context.specs.spec);
  const wanted = (rows: readonly Probe[], ruling: Clause['ruling']) => {
    const answered = rows.filter(({ answer }) => answer !== '');
    return rateCell(
      answered.map(({ request, answer }) => ({ cluster: request, value: answerMatches(answer, ruling) ? 1 : 0 })),
      ruling,
      rows.length - answered.length,
    );
  };
  const [old, fresh] = [clause.ruling, turned(clause.ruling)];
  figures['follows the new ruling after'] = wanted(after, fresh);
  figures['follows the new ruling before'] = wanted(before, fresh);
  const cites = (rows: readonly Probe[]) =>
    rateCell(
      rows.map(({ request, cot }) => ({ cluster: request, value: cot?.includes(`[${clause.code}]`) === true ? 1 : 0 })),
      'cites',
    );
  return {
    title: `Requests under ${clause.code}, answered by ${name}`,
    note: "The clause's own examples, and test prompts for which the base cites it.",
    columns: ['before', 'after'],
    rows: [
      { label: `answers as the new ruling says (${fresh})`, cells: [wanted(before, fresh), wanted(after, fresh)] },
      { label: `answers as the old ruling said (${old})`, cells: [wanted(before, old), wanted(after, old)] },
      { label: `CoT cites ${clause.code}`, cells: [cites(before), cites(after)] },
    ],
  };
}

interface Probe {
  request: string;
  cot: string | null;
  /** Empty where the engine failed or no answer came: unscored. */
  answer: string;
}

async function requestsUnder(lab: Lab, { context, prepared }: FirstRun, clause: Clause, category: string): Promise<Prompt[]> {
  const test = prepared.test.filter((prompt) => categoryOf(prompt) === category && prompt.ideal === clause.ruling);
  const base = await lab.bench.base();
  const cached = await cachedModel(base, contentId('base', lab.bench.digests), path.join(lab.root, 'policy-change', 'readings.jsonl'));
  try {
    const governed = await governingClauses(context, cached.model, test);
    const examples = clause.examples.map(({ text }): Prompt => {
      const id = contentId('example', text);
      return {
        id,
        request: id,
        messages: [{ role: 'user', content: text }],
        category,
        technique: 'none',
        tags: [],
        source: 'specification',
      };
    });
    return [...examples, ...test.filter(({ id }) => governed.get(id)?.code === clause.code)];
  } finally {
    await cached.close();
  }
}

async function shares(lab: Lab, { context, config }: FirstRun, probes: readonly Prompt[], clause: Clause, spec: Spec): Promise<Probe[]> {
  const arm = await lab.pipeline.openArm(context, mainArm({ config }));
  const file = path.join(lab.root, 'policy-change', `answers-${findClause(spec, clause.code)?.ruling}.jsonl`);
  const cached = await cachedModel(arm.model, contentId('arm', arm.digest), file);
  const answered = new Map<string, Probe>();
  try {
    await inParallel(
      probes,
      lab.bench.concurrency,
      async ({ id, request, messages }) => {
        const { choices } = await cached.model.chat({
          messages,
          maxTokens: config.eval.maxTokens,
          temperature: 0,
          ...(lab.signal && { signal: lab.signal }),
        });
        const [choice] = choices;
        const { cot, answer } = splitCot(choice === undefined || choice.stopReason === 'error' ? '' : choice.text);
        answered.set(id, { request, cot, answer: answer.trim() });
      },
      lab.signal,
    );
  } finally {
    await cached.close();
  }
  return probes.map(({ id }) => answered.get(id)!);
}

/** Every measure on the other categories' prompts, before and after. */
function standing(before: Rows, after: Rows, category: string, figures: Record<string, Cell>): Table {
  const others = (rows: Rows): Rows => new Map([...rows].map(([name, list]) => [name, list.filter((row) => row.category !== category)]));
  const [old, fresh] = [others(before), others(after)];
  return {
    title: `Everything but ${category}: after − before, on the same requests`,
    note: 'An interval that holds 0 is what standing still looks like; p by sign test, corrected by Holm over the rows.',
    columns: ['difference'],
    rows: differencesOf(measures, { arm: [fresh], against: [old] }).map(({ measure, cell }) => {
      figures[`elsewhere ${measure.name}`] = cell;
      return { label: measureLabel(measure), cells: [cell] };
    }),
  };
}
