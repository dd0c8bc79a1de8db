/**
 * The sets that a run does not ask by itself, on the arms that matter: other languages (paper, section 4: generalisation), conversations
 * that escalate, orders in tool results, harm inside CoTs, and public sets out of the user's files (paper, section 3).
 */
import path from 'node:path';
import type { ArmName, Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import type { Prompt } from '../base/records.js';
import { inStage } from '../base/stage-scope.js';
import { askSet, chooseSet, openHelpers, sha256, type ChosenSet } from '../evals/ask-set.js';
import type { ArmResult } from '../evals/evaluate.js';
import { ReplyLog, type LoggedModel } from '../evals/logged-model.js';
import { holm, signTest } from '../evals/significance.js';
import { setNamed } from '../evals/sets/all-sets.js';
import type { SetPart } from '../evals/sets/evaluation-set.js';
import { differenceCell } from './cells.js';
import type { StudySettings } from './config.js';
import { firstRun, mainArm } from './first-run.js';
import { pairedStrata } from './intervals.js';
import { shareAnswers } from './shared-data.js';
import type { Cell, Findings, FirstRun, Lab, Study, Table } from './study.js';

/** Results of one set, by arm. */
interface Asked {
  chosen: ChosenSet;
  results: ReadonlyMap<ArmName, readonly ArmResult[]>;
}

export const suitesStudy: Study = {
  name: 'suites',
  title: 'Further suites',
  source: 'paper, sections 3 and 4: other languages, public sets; ours: escalation, tool results, harm in CoTs',
  version: 1,
  async run(lab: Lab): Promise<Findings> {
    const first = await firstRun(lab);
    const sets = await chosenSets(lab.settings, first.config, first.prepared.test);
    const arms = [...new Set<ArmName>(['base', 'answer-only', 'sft', mainArm(first)])];
    const replies = await ReplyLog.open(path.join(lab.root, 'suites', 'replies.jsonl'));
    try {
      const { asked, judge } = await inStage('suites', () => askAll(lab, first, sets, arms, replies));
      return findingsOf(asked, arms, judge);
    } finally {
      await replies.close();
    }
  },
};

/**
 * What the settings name, at the size of the small studies.
 * @param prompts test prompts of the run, plain
 * @throws input error for a set without what it needs, and for a file not in its form: asked first, it comes before hours of work
 */
export const chosenSets = (settings: StudySettings, config: Config, prompts: readonly Prompt[]): Promise<ChosenSet[]> =>
  Promise.all(
    settings.suites.map(({ name, file }) =>
      chooseSet(
        {
          set: setNamed(name),
          file,
          requests: settings.eval.plain,
          // Prompts of one's own need not have what harm-in-cot asks with.
          mayBeEmpty: file === undefined,
          said: { set: `study.suites: ${name}`, file: 'file' },
        },
        config,
        prompts,
      ),
    ),
  );

/** Files by their whole paths and with their digests, so that another file under the same name is asked anew. */
export const withFiles = (suites: StudySettings['suites'], folder: string): Promise<StudySettings['suites']> =>
  Promise.all(
    suites.map(async ({ name, file, sha256: wanted }) => {
      if (file === undefined) return { name };
      const whole = path.resolve(folder, file);
      const digest = await sha256(whole).catch((error: NodeJS.ErrnoException) => {
        throw inputError(`study.suites: ${name}: ${whole}: cannot be read (${error.code}).`, error);
      });
      if (wanted !== undefined && wanted !== digest)
        throw inputError(
          `study.suites: ${name}: ${whole}: has the digest ${digest}, not ${wanted}. It is another file than the one named.`,
        );
      return { name, file: whole, sha256: digest };
    }),
  );

async function askAll(
  lab: Lab,
  { config, context, paths }: FirstRun,
  sets: readonly ChosenSet[],
  arms: readonly ArmName[],
  replies: ReplyLog,
): Promise<{ asked: Asked[]; judge: LoggedModel | null }> {
  const { progress, signal } = lab;
  const attacked = sets.some(({ techniques }) => techniques.written.length > 0);
  const helpers = await openHelpers(lab.bench, { seed: config.seed, replies, attacked, signal });
  const found = sets.map((chosen) => ({ chosen, results: new Map<ArmName, ArmResult[]>() }));
  // Arm by arm: to change the adapter is what costs.
  for (const name of arms) {
    const arm = { ...(await lab.pipeline.openArm(context, name)), name };
    const out = path.join(lab.root, 'suites', 'evals', name, 'answers.jsonl');
    await shareAnswers(paths.answers(name), out);
    for (const { chosen, results } of found.filter(({ chosen: { items } }) => items.length > 0))
      results.set(
        name,
        await askSet(chosen, { ...helpers, arm, seed: config.seed, maxTokens: config.eval.maxTokens, out, progress, signal }),
      );
  }
  return { asked: found, judge: helpers.judge?.model ?? null };
}

function findingsOf(asked: readonly Asked[], arms: readonly ArmName[], judge: LoggedModel | null): Findings {
  const figures: Record<string, Cell> = {};
  const parts = asked.flatMap(({ chosen, results }) =>
    chosen.set.parts
      .filter(({ name }) => chosen.items.some(({ part }) => part === name))
      .map((part) => ({ part, of: (arm: ArmName) => results.get(arm)?.find(({ result }) => result.suite === part.name) })),
  );
  const scores = parts.map(({ part, of }) => ({
    label: labelOf(part),
    cells: arms.map((arm) => {
      const cell = scoreCell(of(arm));
      if (cell !== null) figures[`${part.name} ${arm}`] = cell;
      return cell;
    }),
  }));
  const compared = arms.filter((arm) => arm !== 'base');
  const columns = compared.map((arm) => differencesFrom(parts.map(({ part, of }) => ({ part, before: of('base'), after: of(arm) }))));
  const differences = parts.map(({ part }, i) => ({ label: labelOf(part), cells: columns.map((column) => column[i]!) }));
  const shares = parts.flatMap(({ part, of }) => shareRows(part, arms, of));
  const tables: Table[] = [
    { title: 'Scores', note: 'Rates from 0 to 1, more is better; n is requests.', columns: [...arms], rows: scores },
    {
      title: 'Difference from base on the same requests',
      note: 'With its 95 % interval; p by sign test over requests, corrected by Holm over the rows of a column.',
      columns: compared,
      rows: differences,
    },
    ...(shares.length === 0 ? [] : [{ title: 'Classes of answers', columns: [...arms], rows: shares }]),
  ];
  const leftOut = asked.flatMap(({ chosen: { set, items, leftOut: counts } }) => [
    ...(items.length === 0 ? [`${set.name}: nothing to ask with, for no test prompt is of the kind that it takes.`] : []),
    ...Object.entries(counts).map(([reason, count]) => `${set.name}: ${count} left out (${reason}).`),
  ]);
  return {
    tables: parts.length === 0 ? [] : tables,
    charts: [],
    figures,
    notes: [
      asked.length === 0
        ? 'study.suites names no set.'
        : `One seed. Graded by ${judge === null ? 'the published rules, for no judge is configured on a server' : `the judge ${judge.name}`}.`,
      ...leftOut,
    ],
  };
}

const labelOf = ({ title, metric }: SetPart): string => `${title}: ${metric}`;

function scoreCell(found: ArmResult | undefined): Cell | null {
  if (found === undefined) return null;
  const { estimate, low, high, unscored } = found.result;
  const n = new Set(found.units.map(({ cluster }) => cluster)).size;
  return estimate === null || low === null || high === null ? { estimate: null, n, unscored } : { estimate, low, high, n, unscored };
}

/** A column of differences; what has no pair is no test, and no reason to correct the others. */
function differencesFrom(
  pairs: readonly { part: SetPart; before: ArmResult | undefined; after: ArmResult | undefined }[],
): (Cell | null)[] {
  const paired = pairs.map(({ before, after }) =>
    before === undefined || after === undefined ? [] : pairedStrata([before.units], [after.units]).flat(),
  );
  const corrected = holm(paired.filter((one) => one.length > 0).map(signTest));
  return paired.map((one, i) =>
    one.length === 0 ? null : { ...differenceCell([[one]], `suites ${pairs[i]!.part.name}`), p: corrected.shift()! },
  );
}

/** Shares of the part's own classes: full and partial refusals, harm behind a safe answer. */
function shareRows(part: SetPart, arms: readonly ArmName[], of: (arm: ArmName) => ArmResult | undefined): Table['rows'] {
  const rates = arms.map((arm) => of(arm)?.result.rates ?? {});
  return [...new Set(rates.flatMap((one) => Object.keys(one)))].map((name) => ({
    label: `${part.title}: ${name}`,
    cells: rates.map((one): Cell | null => {
      const rate = one[name];
      return rate === undefined ? null : { estimate: rate.share, low: rate.low, high: rate.high, n: rate.rows };
    }),
  }));
}
