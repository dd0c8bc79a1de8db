/** Reads what a report shows out of a run folder. */
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { dependencyError, inputError } from '../base/errors.js';
import { Completion, Judgement } from '../base/records.js';
import { clauseLine, styleLine } from '../align/spec/lines.js';
import { clausesOf } from '../align/spec/lookup.js';
import type { Spec } from '../align/spec/types.js';
import { EvalRow } from '../evals/records.js';
import { Scorecard } from '../evals/scorecard.js';
import type { Curve, FunnelStep, ReportData } from './data.js';
import { chooseExamples } from './examples.js';
import { shownMetrics } from './metrics.js';
import { mainArm } from './report.js';

/**
 * The data of a run's report. Stages that have not run yet are left out.
 * @throws an input error when the folder has no scorecard, or a file in it cannot be understood (file and line are named).
 */
export async function collectReport(runFolder: string, spec: Spec): Promise<ReportData> {
  const scorecardFile = path.join(runFolder, 'scorecard.json');
  const scorecardText = await textOf(scorecardFile);
  if (scorecardText === null) throw inputError(`${scorecardFile}: is missing. Run \`deliberate eval\` on this folder first.`);
  const card = parsed(Scorecard, scorecardText, scorecardFile);
  const config = (await textOf(path.join(runFolder, 'run.yaml'))) ?? '';
  const settings = readSettings(config, path.join(runFolder, 'run.yaml'));
  const arm = mainArm(card);
  const rows = (
    await Promise.all(card.suites.map((suite) => linesOf(path.join(runFolder, 'arms', arm, 'evals', `${suite.name}.jsonl`), EvalRow)))
  ).flat();
  return {
    name: settings.name ?? path.basename(path.resolve(runFolder)),
    model: settings.model ?? 'policy model',
    scorecard: card,
    curves: await readCurves(runFolder),
    funnel: await readFunnel(runFolder),
    examples: chooseExamples(rows, arm),
    clauseLines: allLines(spec),
    config,
    digests: settings.digests,
  };
}

/** The compiled line of every clause and style guideline, by code. */
const allLines = (spec: Spec): Record<string, string> =>
  Object.fromEntries([
    ...[...spec.styles, ...spec.categories.flatMap((category) => category.styles)].map((style) => [style.code, styleLine(style)]),
    ...clausesOf(spec).map((clause) => [clause.code, clauseLine(clause)]),
  ]);

/** Name, model and digests wherever run.yaml has them; all are optional. */
function readSettings(yaml: string, file: string): { name?: string; model?: string; digests: Record<string, string> } {
  let value: unknown;
  try {
    value = parseYaml(yaml);
  } catch (error) {
    throw inputError(`${file}: is not YAML (${(error as Error).message.split('\n')[0]}). Restore it from a copy.`, error);
  }
  const top = asObject(value);
  const config = asObject(top['config']);
  const digests = Object.entries(asObject(top['digests'])).map(([key, digest]) => [
    key,
    typeof digest === 'string' ? digest : JSON.stringify(digest),
  ]);
  const name = top['name'] ?? config['name'];
  const given = top['model'] ?? config['model'] ?? asObject(config['policy'])['model'];
  const model = typeof given === 'string' ? given : asObject(given)['name'];
  return {
    ...(typeof name === 'string' && { name }),
    ...(typeof model === 'string' && { model }),
    digests: Object.fromEntries(digests) as Record<string, string>,
  };
}

const asObject = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

const Funnel = z.array(z.object({ title: z.string(), count: z.int(), note: z.string().default('') }));

const stages = ['sft', 'rl'] as const;

/** By stage and metric in the order of the page, then by arm. */
async function readCurves(runFolder: string): Promise<Curve[]> {
  const curves: Curve[] = [];
  const arms = await readdir(path.join(runFolder, 'arms')).catch(() => [] as string[]);
  for (const arm of arms.sort()) {
    for (const stage of stages) {
      const shown = shownMetrics(stage);
      const byMetric = new Map<string, Map<number, number>>();
      const file = path.join(runFolder, 'arms', arm, stage, 'metrics.jsonl');
      let line = 0;
      for await (const record of jsonLines(file)) {
        const fields = asObject(record);
        const step = typeof fields['step'] === 'number' ? fields['step'] : line;
        line++;
        for (const [metric, value] of Object.entries(fields)) {
          if (typeof value !== 'number' || !shown.includes(metric)) continue;
          const points = byMetric.get(metric) ?? new Map<number, number>();
          byMetric.set(metric, points);
          // A resumed run writes a step again; the later line holds.
          points.set(step, value);
        }
      }
      for (const [metric, points] of byMetric) {
        curves.push({ arm, stage, metric, points: [...points].map(([step, value]) => ({ step, value })).sort((a, b) => a.step - b.step) });
      }
    }
  }
  const place = ({ stage, metric }: Curve) => 100 * stages.indexOf(stage) + shownMetrics(stage).indexOf(metric);
  return curves.sort((a, b) => place(a) - place(b));
}

/** From prompts to SFT records: as the filter counted, or by what the files hold where it has not run. */
async function readFunnel(runFolder: string): Promise<FunnelStep[]> {
  const file = (name: string) => path.join(runFolder, name);
  const counted = await textOf(file('funnel.json'));
  if (counted !== null) return parsed(Funnel, counted, file('funnel.json'));
  const completions = await linesOf(file('completions.jsonl'), Completion);
  if (completions.length === 0) return [];
  const wellFormed = completions.filter((completion) => completion.checks.wellFormed);
  const sound = wellFormed.filter(
    ({ checks }) =>
      checks.citedClauseExists !== false &&
      checks.quoteOccurs !== false &&
      checks.rulingMatchesDecision !== false &&
      checks.answerMatchesDecision !== false &&
      !checks.leaksSpec,
  );
  const scores = new Map(
    (await linesOf(file('judgements.jsonl'), Judgement)).map((judgement) => [judgement.completionId, judgement.score]),
  );
  const judged = sound.filter(({ id }) => typeof scores.get(id) === 'number');
  const good = judged.filter(({ id }) => scores.get(id)! >= 0.5);
  const unscored = sound.filter(({ id }) => scores.get(id) === null).length;
  const kept = await count(file('sft.jsonl'));
  return [
    { title: 'Prompts asked', count: new Set(completions.map(({ promptId }) => promptId)).size },
    { title: 'Completions', count: completions.length },
    { title: 'Well-formed', count: wellFormed.length, note: 'closed CoT, answer not empty, not cut off' },
    { title: 'Checks hold', count: sound.length, note: 'clause exists, quote is in it, ruling and answer match the decision' },
    ...(scores.size === 0 ? [] : [{ title: 'Judged .50 or better', count: good.length, note: `${unscored} unscored` }]),
    ...(kept === 0 ? [] : [{ title: 'Kept for SFT', count: kept, note: 'best of each prompt above the threshold, balanced' }]),
  ];
}

async function count(file: string): Promise<number> {
  let lines = 0;
  for await (const _ of jsonLines(file)) lines++;
  return lines;
}

/** Records of a JSONL file, the last of each id where they have one; none when the file is missing. */
async function linesOf<T>(file: string, schema: z.ZodType<T>): Promise<T[]> {
  const records = new Map<unknown, T>();
  let number = 0;
  for await (const value of jsonLines(file)) {
    number++;
    const record = schema.safeParse(value);
    if (!record.success)
      throw inputError(
        `${file}: record ${number} is not what this version writes (${record.error.issues[0]?.path.join('.')}: ${record.error.issues[0]?.message}). Run the stage again.`,
      );
    records.set(asObject(value)['id'] ?? number, record.data);
  }
  return [...records.values()];
}

/** Values of a JSONL file. A torn last line is left out; a torn line before it is an error. */
async function* jsonLines(file: string): AsyncGenerator<unknown> {
  let pending: { error: Error; number: number } | null = null;
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      number++;
      if (pending !== null)
        throw inputError(`${file}:${pending.number}: is not JSON. Remove the line, or run the stage again.`, pending.error);
      if (line.trim() === '') continue;
      try {
        yield JSON.parse(line);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        pending = { error, number };
      }
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return;
    if (code !== undefined) throw dependencyError(`${file}: cannot be read (${code}). Check the folder's rights.`, error);
    throw error;
  }
}

async function textOf(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw dependencyError(`${file}: cannot be read (${error.code}). Check the folder's rights.`, error);
  });
}

function parsed<T>(schema: z.ZodType<T>, text: string, file: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw inputError(`${file}: is not what this version writes. Run \`deliberate eval\` again.`, error);
  }
}
