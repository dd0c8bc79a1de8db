/**
 * Ablation of the stages (paper, section 4.1: no safety training, SFT only, RL only, SFT + RL, and the untrained base with
 * the summarised specification in its context), and of parts of the data: the answer-only baseline, no judge in the filter, no shared
 * summaries in spec(category) (paper, section 2.3.1: models attend to the relevant policy better with them).
 */
import type { ArmName } from '../base/config.js';
import { readJsonl } from '../base/jsonl.js';
import { SftRecord } from '../base/records.js';
import { CompiledSpecs } from '../align/compiled-specs.js';
import { countCell, measureCell } from './cells.js';
import { differenceTable } from './differences.js';
import { evaluateModel, suitesNamed, type Rows } from './evaluate-model.js';
import { firstRun, variantPaths } from './first-run.js';
import { measures } from './measures.js';
import { rlOnly, sftVariant } from './variant.js';
import type { Cell, Findings, FirstRun, Lab, OpenedArm, Study } from './study.js';
import { suites } from '../evals/suites.js';

interface Condition {
  label: string;
  arm: OpenedArm;
  /** SFT records that it was trained on. */
  records?: number;
  known?: string;
}

/** Arms of the first run, by the name that the ablation gives them. */
const armsOfRun: readonly (readonly [label: string, arm: ArmName])[] = [
  ['none', 'base'],
  ['specification in context', 'base+spec'],
  ['answer-only SFT', 'answer-only'],
  ['SFT', 'sft'],
  ['SFT + RL', 'sft+rl'],
];

export const ablation: Study = {
  name: 'ablation',
  title: 'Ablation of stages and data',
  source: 'paper, section 4.1: ablation of the stages',
  version: 2,
  async run(lab: Lab): Promise<Findings> {
    const first = await firstRun(lab);
    const conditions = await openConditions(lab, first);
    const rows = new Map<string, Rows>();
    for (const { label, arm, known } of conditions)
      rows.set(
        label,
        await evaluateModel({ lab, first, study: 'ablation', label, arm, suites: askedSuites, ...(known !== undefined && { known }) }),
      );
    const figures: Record<string, Cell> = {};
    const labels = conditions.map(({ label }) => label);
    const scores = measures.map((measure) => ({
      label: measure.title,
      cells: labels.map((label) => {
        const cell = measureCell(measure, [rows.get(label)!]);
        figures[`${measure.name} ${label}`] = cell;
        return cell;
      }),
    }));
    return {
      tables: [
        { title: 'Scores', columns: labels, rows: scores },
        differenceTable('Difference from SFT on the same requests', measures, rows, 'SFT'),
        {
          title: 'Records of SFT',
          columns: labels,
          rows: [{ label: 'records', cells: conditions.map(({ records }) => (records === undefined ? null : countCell(records))) }],
        },
      ],
      charts: [],
      figures,
      notes: ['One seed. All arms that learn from judged data learn from the same; without shared summaries the data are generated anew.'],
    };
  },
};

const askedSuites = suitesNamed(...suites.map(({ name }) => name).filter((name) => name !== 'encodings'));

async function openConditions(lab: Lab, first: FirstRun): Promise<Condition[]> {
  const { config, context, paths } = first;
  const records = (await readJsonl(paths.sftRecords(), SftRecord)).length;
  const conditions: Condition[] = [];
  for (const [label, name] of armsOfRun) {
    if (name === 'sft+rl' && config.rl.steps === 0) continue;
    const trained = name === 'base' || name === 'base+spec' ? {} : { records };
    conditions.push({ label, arm: await lab.pipeline.openArm(context, name), known: paths.answers(name), ...trained });
  }
  if (config.rl.steps > 0) conditions.push({ label: 'RL only', arm: await rlOnly(first, variantPaths(lab, 'ablation', 'rl-only')) });
  const unjudged = await sftVariant(first, { paths: variantPaths(lab, 'ablation', 'without-judge'), judged: false });
  conditions.push({ label: 'without judge filter', arm: unjudged.arm, records: unjudged.records.length });
  const bare = new CompiledSpecs(lab.spec, { ...context.specs.options, summaries: false });
  const alone = await sftVariant(first, { paths: variantPaths(lab, 'ablation', 'without-summaries'), specs: bare });
  conditions.push({ label: 'without shared summaries', arm: alone.arm, records: alone.records.length });
  return conditions;
}
